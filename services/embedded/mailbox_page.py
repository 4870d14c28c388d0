"""The mailbox's pages: the words in both languages, how a time is shown, and the templates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.embedded.message import Piece, is_survey, pieces
from services.embedded.store import Count, Heading, Message
from services.pages import render

Language = Literal["zh", "en"]
View = Literal["page", "text"]

WEEKDAYS = {
    "zh": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

WORDS = {
    "en": {
        "mailbox": "Mailbox",
        "purpose": "What customers would have received. Nothing leaves this machine.",
        "mail": "Mail",
        "text": "SMS",
        "business_time": "Business time",
        "times_as_fast": "times as fast",
        "empty": "No message yet",
        "empty_hint": "The first one arrives when the survey of a closed ticket is due.",
        "choose": "Choose a message to read it",
        "back": "All messages",
        "older": "Older",
        "newest": "Newest",
        "from": "From",
        "to": "To",
        "as_page": "Page",
        "as_text": "Text",
        "open_survey": "Open the survey",
        "mail_content": "The mail",
        "other_language": "中文",
    },
    "zh": {
        "mailbox": "收件箱",
        "purpose": "这里显示客户本应收到的消息，不会真正发出。",
        "mail": "邮件",
        "text": "短信",
        "business_time": "业务时间",
        "times_as_fast": "倍速",
        "empty": "还没有消息",
        "empty_hint": "已关闭工单的调查到期时，第一条消息就会出现。",
        "choose": "选择一条消息查看",
        "back": "全部消息",
        "older": "更早",
        "newest": "最新",
        "from": "发件人",
        "to": "收件人",
        "as_page": "网页",
        "as_text": "纯文本",
        "open_survey": "打开调查问卷",
        "mail_content": "邮件内容",
        "other_language": "English",
    },
}


@dataclass(frozen=True, slots=True)
class Listing:
    """The left side: a page of the newest messages, how many there are, and what time it is."""

    headings: Sequence[Heading]
    count: Count
    older: int | None
    begins_with_newest: bool
    now: datetime
    speed: float


@dataclass(frozen=True, slots=True)
class Reading:
    """The right side: the chosen message; for an SMS with all that went to the same number."""

    message: Message
    conversation: Sequence[Message]
    view: View

    @property
    def survey(self) -> str | None:
        """The link to the survey page."""
        return next((link for link in self.message.links if is_survey(link)), None)


def show(language: Language, listing: Listing, reading: Reading | None) -> str:
    """The whole page."""
    return _render("mailbox.html", language, listing, reading.message.id if reading else None, reading=reading)


def show_list(language: Language, listing: Listing, chosen: object) -> str:
    """The list alone, for the page's script."""
    return _render("list.html", language, listing, chosen)


def day_and_time(at: datetime, language: Language) -> str:
    """A moment in the machine's own time zone."""
    local = at.astimezone()
    if language == "zh":
        return f"{local.month}月{local.day}日 {local:%H:%M}"
    return f"{local.day} {MONTHS[local.month - 1]} {local:%H:%M}"


def weekday(at: datetime, language: Language) -> str:
    """The day of the week there, in short."""
    return WEEKDAYS[language][at.astimezone().weekday()]


def whole_time(at: datetime, language: Language) -> str:
    """A moment with everything that belongs to it."""
    local, day = at.astimezone(), weekday(at, language)
    zone = f"UTC{local.isoformat()[-6:]}"
    if language == "zh":
        return f"{local.year}年{local.month}月{local.day}日 {day} {local:%H:%M}（{zone}）"
    return f"{day} {local.day} {MONTHS[local.month - 1]} {local.year} {local:%H:%M} ({zone})"


def counted(count: Count, language: Language) -> str:
    """How many messages there are, in words."""
    if language == "zh":
        return f"{count.email} 封邮件 · {count.sms} 条短信"
    return f"{count.email} {'mail' if count.email == 1 else 'mails'} · {count.sms} SMS"


def language_of(asked: str | None, accepted: str) -> Language:
    """The language asked for, or else the browser's own; English for all others."""
    if asked in ("zh", "en"):
        return "zh" if asked == "zh" else "en"
    return "zh" if accepted.strip().lower().startswith("zh") else "en"


def _render(template: str, language: Language, listing: Listing, chosen: object, **values: object) -> str:
    return render(
        "services.embedded",
        template,
        language=language,
        words=WORDS[language],
        listing=listing,
        counted=counted(listing.count, language),
        chosen=chosen,
        day_and_time=lambda at: day_and_time(at, language),
        weekday=lambda at: weekday(at, language),
        whole_time=lambda at: whole_time(at, language),
        pieces=_pieces,
        **values,
    )


def _pieces(text: str) -> list[Piece]:
    return list(pieces(text))
