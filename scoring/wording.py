"""What the survey page itself says, around the policy's questions, in both languages. Pure."""

from typing import Final, Literal

from scoring.response import TEXT_MOST, Fault
from services.contracts.questionnaire import Locale, ScaleName, Words

LANGUAGES: Final[dict[Locale, str]] = {"zh": "zh-CN", "en": "en"}
NAMES: Final[dict[Locale, str]] = {"zh": "中文", "en": "English"}

Phrase = Literal[
    "about",
    "again_title",
    "again_text",
    "change",
    "choose_several",
    "closed_text",
    "closed_title",
    "decline",
    "done_text",
    "done_title",
    "error",
    "error_title",
    "final_text",
    "no",
    "not_applicable",
    "only_if",
    "required",
    "resend_text",
    "resend_title",
    "send",
    "send_again",
    "text_hint",
    "unavailable_text",
    "unavailable_title",
    "yes",
]

PHRASES: Final[dict[Phrase, Words]] = {
    "about": Words(zh="服务单号", en="Ticket"),
    "again_title": Words(zh="您已作答", en="You have answered already"),
    "again_text": Words(
        zh="下面是您的回答。现在仍可修改；不需要修改时，直接关闭本页即可。",
        en="These are your answers. You can still change them; if you do not want to, just close this page.",
    ),
    "change": Words(zh="修改我的回答", en="Change my answers"),
    "choose_several": Words(zh="可多选", en="Choose as many as you like"),
    "closed_text": Words(
        zh="链接可能不完整，或者这次调查已经结束。您不需要再做什么。",
        en="The link may be incomplete, or the survey may be over. There is nothing more that you need to do.",
    ),
    "closed_title": Words(zh="此页面不可用", en="This page is not available"),
    "decline": Words(zh="我不想作答", en="I’d rather not answer"),
    "done_text": Words(
        zh="您的回答已经收到，可以关闭本页了。",
        en="We have received your answers. You can close this page now.",
    ),
    "done_title": Words(zh="谢谢您！", en="Thank you!"),
    "error": Words(zh="错误：", en="Error: "),
    "error_title": Words(zh="还有地方需要您看一下", en="Something still needs your attention"),
    "final_text": Words(
        zh="您的回答已经收到，修改期已过。您不需要再做什么。",
        en="We have received your answers, and the time for changing them is over. There is nothing more to do.",
    ),
    "no": Words(zh="否", en="No"),
    "not_applicable": Words(zh="不适用", en="Not applicable"),
    "only_if": Words(zh="仅在以上选择以下答案时填写：", en="Only if you answered above: "),
    "required": Words(zh="必答", en="Required"),
    "resend_text": Words(
        zh="我们无法确认这份回答来自本页，所以没有保存。请核对后再次提交。",
        en="We could not make sure that the answers came from this page, so they were not kept. "
        "Please check them and send them again.",
    ),
    "resend_title": Words(zh="请再提交一次", en="Please send your answers again"),
    "send": Words(zh="提交", en="Send my answers"),
    "send_again": Words(zh="保存修改", en="Save changes"),
    "text_hint": Words(
        zh="请不要写姓名、电话等个人信息。", en="Please leave out names, telephone numbers and other personal details."
    ),
    "unavailable_text": Words(
        zh="本页暂时打不开，请过一分钟再试。", en="The page cannot be shown right now. Please try again in a minute."
    ),
    "unavailable_title": Words(zh="请稍后再试", en="Please try again shortly"),
    "yes": Words(zh="是", en="Yes"),
}

_ENDS: Final[dict[ScaleName, tuple[Words, Words]]] = {
    "nps": (Words(zh="完全不会推荐", en="Not at all likely"), Words(zh="一定会推荐", en="Extremely likely")),
    "ces": (Words(zh="非常费力", en="Very difficult"), Words(zh="非常省力", en="Very easy")),
    "ten": (Words(zh="非常不满意", en="Very dissatisfied"), Words(zh="非常满意", en="Very satisfied")),
}
"""The words at the ends of scales whose marks are bare numbers: of the worst mark, and of the best."""


def say(phrase: Phrase, locale: Locale) -> str:
    """A phrase in a language."""
    return PHRASES[phrase].say(locale)


def ends(scale: ScaleName, locale: Locale) -> tuple[str, str] | None:
    """The words of a scale's worst and best mark, where its marks have none of their own."""
    words = _ENDS.get(scale)
    return (words[0].say(locale), words[1].say(locale)) if words else None


def fault(found: Fault, kind: str, locale: Locale) -> str:
    """What is wrong with an item, and what to do."""
    return _FAULTS[found, "text" if kind == "text" else "choice"].say(locale)


_FAULTS: Final[dict[tuple[Fault, Literal["text", "choice"]], Words]] = {
    ("missing", "choice"): Words(zh="请选择一个答案", en="Choose an answer"),
    ("missing", "text"): Words(zh="请填写这一项", en="Write an answer"),
    ("not_a_choice", "choice"): Words(zh="请从所列答案中选择", en="Choose one of the answers shown"),
    ("not_a_choice", "text"): Words(zh="请填写这一项", en="Write an answer"),
    ("repeated", "choice"): Words(zh="这一项收到了多个答案，请只选一次", en="This came more than once; choose again"),
    ("repeated", "text"): Words(zh="这一项收到了多个答案，请只填一次", en="This came more than once; write one answer"),
    ("too_long", "choice"): Words(zh="请从所列答案中选择", en="Choose one of the answers shown"),
    ("too_long", "text"): Words(
        zh=f"请缩短到 {TEXT_MOST} 字以内", en=f"Shorten your answer to {TEXT_MOST:,} characters or fewer"
    ),
}
