"""The register of the sample: the customers of its tickets, with people who may be asked out of it."""

import re
from datetime import date, timedelta

_DAYS_AGO = re.compile(r"<(\d+)>")
# The number in angle brackets is a day so long ago. Customers go by the names that the sample's systems give them.
_TABLE = """\
customer,customer_name,kind,tier,size,trade,region,segments,active_since,last_active,owner,figure:revenue,figure:years,project,project_manager,project_started,project_accepted,person,person_name,email,phone,locale,roles,consent
星河物流,星河物流有限公司,organisation,core,large,物流,华北,high-value,<2400>,<5>,sales-1,1200,6,P-101,pm-1,<400>,<30>,r-11,何建军,he.jianjun@example.cn,+447700900141,zh-CN,leader,all
星河物流,,,,,,,,,,,,,P-102,pm-2,<90>,,r-12,冯雪,feng.xue@example.cn,,zh-CN,administrator,email
Northwind Traders,Northwind Traders Ltd,organisation,important,medium,trade,South,,<1500>,<3>,sales-2,320,4,P-103,pm-1,<200>,<60>,r-21,Edward Hale,edward.hale@example.com,+447700900142,en-GB,leader,email;call
Northwind Traders,,,,,,,,,,,,,,,,,r-22,Ines Moreau,ines.moreau@example.com,,en-GB,user,email
Contoso Labs,Contoso Labs Inc,organisation,core,large,research,East,high-value,<3300>,<12>,sales-2,860,9,P-104,pm-3,<300>,,r-31,Grace Lindqvist,grace.lindqvist@example.com,+447700900143,en-GB,leader;administrator,email;visit
青禾教育,青禾教育集团,organisation,important,medium,教育,华东,,<900>,<2>,sales-1,150,2,P-105,pm-2,<120>,<10>,r-41,沈若兰,shen.ruolan@example.cn,+447700900144,zh-CN,leader,email;sms;call
Atelier Dubois,Atelier Dubois,organisation,ordinary,small,design,South,,<500>,<40>,sales-2,24,1,,,,,r-51,Marc Dubois,marc.dubois@example.com,,en-GB,leader,email
云上传媒,云上传媒工作室,organisation,ordinary,small,传媒,华东,new,<60>,<4>,sales-1,12,0,,,,,r-61,许知远,xu.zhiyuan@example.cn,,zh-CN,leader,email
长风制造,长风制造厂,organisation,important,large,制造,华北,,<4000>,<220>,sales-1,640,11,P-106,pm-3,<700>,<350>,r-71,马德胜,,+447700900145,zh-CN,administrator,call;sms
Fabrikam,Fabrikam GmbH,organisation,ordinary,medium,manufacturing,East,,<700>,<15>,sales-2,90,2,,,,,r-81,Jonas Weber,jonas.weber@example.com,,en-GB,administrator,
"""  # noqa: E501 (a table)


def register(today: date) -> bytes:
    """The table for `POST /v1/customers/import`, as it would be written on that day."""
    return _DAYS_AGO.sub(lambda found: (today - timedelta(days=int(found[1]))).isoformat(), _TABLE).encode()
