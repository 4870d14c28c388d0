"""The sample: three days at the service desk of an IT provider, made up for this project.

Everybody in it lives at example.com or example.cn, and has a telephone number that is reserved for fiction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.embedded.sample_systems import Customer, State, Ticket


@dataclass(frozen=True, slots=True)
class Report:
    """So long after the beginning, a ticket enters a state."""

    after: timedelta
    ticket: Ticket
    state: State = "closed"


@dataclass(frozen=True, slots=True)
class Registration:
    """So long after the beginning, the register learns who somebody is."""

    after: timedelta
    source: str
    person: Customer


@dataclass(frozen=True, slots=True)
class Import:
    """So long after the beginning, the register of customers is imported."""

    after: timedelta


Step = Report | Registration | Import

_WANG = Customer("712020:wang", "王晓明", "zh-CN", "星河物流", email="wang.xiaoming@example.cn")
_LIN = Customer("712020:lin", "林若溪", "zh-CN", "星河物流", email="lin.ruoxi@example.cn")
_ANNA = Customer("31", "Anna Keller", "en-GB", "Northwind Traders", email="anna.keller@example.com")
_TOM = Customer("32", "Tom Okafor", "en-GB", "Northwind Traders", email="tom.okafor@example.com")
_PRIYA = Customer("5137153cc611", "Priya Raman", "en-GB", "Contoso Labs", "priya.raman@example.com", "+447700900118")
_NOBODY = Customer("9d385017c611", "", "en-GB", "Contoso Labs")
_LIU = Customer("390471", "刘思远", "zh-CN", "青禾教育", email="liu.siyuan@example.cn")
_ZHAO = Customer("390482", "赵敏", "zh-CN", "青禾教育", email="zhao.min@example.cn")
_CLAIRE = Customer("57", "Claire Dubois", "en-GB", "Atelier Dubois", email="claire.dubois@example.com")
_SUN = Customer("58", "孙悦", "zh-CN", "云上传媒", email="sun.yue@example.cn")
_CHEN = Customer("c-207", "陈建国", "zh-CN", "长风制造", phone="+447700900131")
_MARIA = Customer("c-208", "Maria Lopez", "en-GB", "Fabrikam", email="maria.lopez@example.com")

_VPN = Ticket("jira", "OPS-1042", "VPN 每天早上断线", _WANG, "周航", "网络组", "网络")
_BADGE = Ticket("jira", "OPS-1043", "门禁卡读不出来", _LIN, "周航", "网络组", "门禁")
_LAPTOP = Ticket("jira", "OPS-1044", "申请一台新笔记本", _WANG, "何静", "服务台", "设备", type="request")
_OUTLOOK = Ticket(
    "zammad", "20261042", "Outlook asks for the password again and again", _ANNA, "j.meyer", "Desk", "Mail"
)
_PRINTER = Ticket("zammad", "20261043", "Printer on floor 3 prints blank pages", _TOM, "j.meyer", "Desk", "Printing")
_TWICE = Ticket("zammad", "20261044", "Outlook again", _ANNA, "j.meyer", "Desk", "Mail", closed_by="merged")
_LEDGER = Ticket("servicenow", "INC0010023", "Ledger export times out", _PRIYA, "Sam Reed", "ERP", "software")
_UNKNOWN = Ticket("servicenow", "INC0010024", "Badge reader offline", _NOBODY, "Sam Reed", "ERP", "hardware")
_CLASSROOM = Ticket("zendesk", "35436", "在线课堂没有声音", _LIU, "4801", "教育支持", "音视频")
_SCREEN = Ticket("glpi", "4711", "Second screen stays black", _CLAIRE, "Paul Henry", "Helpdesk", "Hardware")
_UPLOAD = Ticket("glpi", "4712", "素材库上传失败", _SUN, "郑凯", "服务台", "存储")
_PLC = Ticket("generic", "FX-8801", "车间看板不刷新", _CHEN, "马强", "现场组", "看板")
_BACKUP = Ticket(
    "generic", "FX-8802", "Backup job finished late", _MARIA, "robot", "Monitoring", "Backup", closed_by="bot"
)
_RECEPTION = tuple(
    Ticket("zendesk", str(35440 + number), title, _ZHAO, "4802", "教育支持", "前台")
    for number, title in enumerate(
        ("前台电脑蓝屏", "打印机卡纸", "投影仪没有信号", "电话没有拨号音", "Wi-Fi 连不上", "考勤机时间不对")
    )
)


def hours(number: float) -> timedelta:
    """So many hours."""
    return timedelta(hours=number)


STORY: Sequence[Step] = (
    # Zendesk, ServiceNow and GLPI name a person by a number only; the register tells who that is.
    *(
        Registration(hours(0), source, person)
        for person, source in ((_PRIYA, "servicenow"), (_LIU, "zendesk"), (_ZHAO, "zendesk"), (_CLAIRE, "glpi"))
    ),
    # Who the customers are, and which of their people agreed to be asked every quarter.
    Import(hours(0)),
    Report(hours(0.1), _VPN),
    Report(hours(0.2), _OUTLOOK),
    # Resolved, and closed a little later: one closure, one survey.
    Report(hours(0.3), _LEDGER, "resolved"),
    # By SMS, because there is no mail address.
    Report(hours(0.4), _PLC),
    # Reopened before anybody was asked: nobody is. Closed again in the afternoon: asked about that closure.
    Report(hours(0.5), _BADGE),
    # Nobody knows who the caller is: skipped, and so it stays.
    Report(hours(0.6), _UNKNOWN),
    # Nobody knows yet: skipped, and decided anew when the register learns it.
    Report(hours(0.7), _UPLOAD),
    # Left out by the policy: merged, closed by a robot, no incident.
    Report(hours(0.8), _TWICE),
    Report(hours(0.9), _BACKUP),
    Report(hours(1.0), _LAPTOP),
    Report(hours(1.2), _LEDGER, "closed"),
    Report(hours(1.5), _BADGE, "open"),
    Report(hours(1.6), _CLASSROOM),
    Report(hours(1.8), _SCREEN),
    Report(hours(2.0), _PRINTER),
    # Six tickets of one person in a day: the sixth is over the limit.
    *(Report(hours(2.2 + number / 10), ticket) for number, ticket in enumerate(_RECEPTION)),
    Registration(hours(4.0), "glpi", _SUN),
    Report(hours(5.0), _BADGE, "closed"),
    # Reopened after the question was sent: the survey ends. Closed again: a second closure, a second survey.
    Report(hours(6.0), _PRINTER, "open"),
    Report(hours(8.0), _PRINTER, "closed"),
)
