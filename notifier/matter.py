"""What a message is about: a ticket, an occasion, an earlier answer, or the service as a whole. Pure."""

from typing import NamedTuple

from services.contracts.language.asking import On
from services.contracts.language.names import Issuer
from services.contracts.policy import Policy
from services.contracts.questionnaire import Words


class Matter(NamedTuple):
    """`noun` stands in “we asked you about …”; `news` is why the customer is asked just now, None where nothing is new.

    `short` is the same news in a text message, `tag` all that a Chinese one has room for beside a link. Only a ticket
    has a number that the customer knows, so only where `is_ticket` the words may speak of `{ticket}`.
    """

    noun: Words
    subject: Words
    news: Words | None
    short: Words | None = None
    tag: str | None = None
    is_ticket: bool = False


_TICKET = Matter(
    noun=Words(zh="服务请求 {ticket}", en="your request {ticket}"),
    subject=Words(zh="请您评价服务请求 {ticket}", en="How did we do? Your request {ticket}"),
    news=Words(zh="关于您的服务请求 {ticket}：", en="This is about your request {ticket}."),
    short=Words(zh="您的服务请求{ticket}已办结", en="your request {ticket} is closed"),
    tag="本次服务",
    is_ticket=True,
)
_AGAIN = Matter(
    noun=Words(zh="我们的服务", en="our service"),
    subject=Words(zh="想再听听您的意见", en="How are we doing now?"),
    news=Words(
        zh="上次您的评价让我们知道还有可以改进的地方。现在怎么样了？想再听听您的意见。",
        en="Your last answers showed us where we can do better. We would like to know how it is now.",
    ),
)
_OCCASIONS: dict[On, Matter] = {
    "project started": Matter(
        noun=Words(zh="项目启动情况", en="the start of your project"),
        subject=Words(zh="请您评价项目启动情况", en="How did your project begin?"),
        news=Words(zh="您的项目已经启动，想听听您的看法。", en="Your project has begun, and we would like your view."),
        short=Words(zh="您的项目已启动", en="your project has begun"),
        tag="项目启动",
    ),
    "project accepted": Matter(
        noun=Words(zh="项目验收情况", en="your project"),
        subject=Words(zh="请您评价项目验收情况", en="How did your project go?"),
        news=Words(
            zh="您的项目已通过验收，想听听您的看法。", en="Your project has been accepted, and we would like your view."
        ),
        short=Words(zh="您的项目已验收", en="your project is accepted"),
        tag="项目验收",
    ),
    "goods delivered": Matter(
        noun=Words(zh="本次交货", en="your delivery"),
        subject=Words(zh="请您评价本次交货", en="How did your delivery go?"),
        news=Words(zh="货物已经送达，想听听您的看法。", en="Your delivery has arrived, and we would like your view."),
        short=Words(zh="货物已送达", en="your delivery has arrived"),
        tag="本次交货",
    ),
    "service delivered": Matter(
        noun=Words(zh="本次服务", en="this service"),
        subject=Words(zh="请您评价本次服务", en="How was our service?"),
        news=Words(
            zh="本次服务已经完成，想听听您的看法。", en="The service is complete, and we would like your view of it."
        ),
        short=Words(zh="本次服务已完成", en="the service is complete"),
        tag="本次服务",
    ),
    "repair done": Matter(
        noun=Words(zh="本次维修", en="your repair"),
        subject=Words(zh="请您评价本次维修", en="How did your repair go?"),
        news=Words(zh="维修已经完成，想听听您的看法。", en="Your repair is done, and we would like your view of it."),
        short=Words(zh="维修已完成", en="your repair is done"),
        tag="本次维修",
    ),
    "complaint handled": Matter(
        noun=Words(zh="投诉处理情况", en="how we handled your complaint"),
        subject=Words(zh="请您评价投诉处理情况", en="How did we handle your complaint?"),
        news=Words(
            zh="您的投诉已经处理，想听听您是否满意。",
            en="Your complaint has been dealt with. We would like to know whether it was done well.",
        ),
        short=Words(zh="您的投诉已处理", en="your complaint has been dealt with"),
        tag="投诉处理",
    ),
    "case closed": Matter(
        noun=Words(zh="您所反映问题的处理情况", en="the matter you raised"),
        subject=Words(zh="请您评价问题处理情况", en="Have we put it right?"),
        news=Words(
            zh="您反映的问题已经处理，想听听您是否满意。",
            en="We have dealt with the matter you raised. We would like to know whether it is right now.",
        ),
        short=Words(zh="您反映的问题已处理", en="we have dealt with the matter you raised"),
        tag="问题处理",
    ),
}
_WHO_ASKS: dict[Issuer, Words | None] = {
    "service desk": None,
    "project manager": Words(
        zh="您的项目经理想听听您对我们工作的看法。", en="Your project manager would like your view of our work."
    ),
    "sales": Words(
        zh="您的客户经理想听听您对我们工作的看法。", en="Your account manager would like your view of our work."
    ),
    "quality control": Words(
        zh="我们的质量控制人员想听听您对我们工作的看法。", en="Our quality team would like your view of our work."
    ),
}


def matter_of(policy: Policy, survey: str, ticket: str | None) -> Matter:
    """What a survey of the policy is about. `ticket` is None where it names neither a ticket nor an occasion.

    A survey on tickets or occasions that names none is one that is held again because of its first answer. A survey
    that the policy does not have is about its ticket, if there is one.
    """
    asked = policy.surveys.get(survey)
    if asked is None or asked.on == "ticket closed":
        return _TICKET if ticket else _AGAIN if asked else _service("service desk")
    if asked.on is not None and ticket is None:
        return _AGAIN
    return _OCCASIONS.get(asked.on) or _service(asked.by) if asked.on else _service(asked.by)


def _service(issuer: Issuer) -> Matter:
    """The service as a whole, which a calendar or an occasion without words of its own asks about."""
    return Matter(
        noun=Words(zh="我们的服务", en="our service"),
        subject=Words(zh="请您评价我们的服务", en="How did we do?"),
        news=_WHO_ASKS[issuer],
    )
