"""In whose name, colour and words customers are written to: the policy's own brand and message texts."""

import re
from typing import Annotated

from pydantic import AfterValidator

from services.contracts.part import Part, wrong
from services.contracts.questionnaire import Words

PLACEHOLDERS = ("name", "brand", "ticket", "link", "opt_out", "expires")
"""What an own message may contain, in braces: `{link}`."""


_COLOR = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)


def _channel_light(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)


def _readable(color: str) -> str:
    """Refuses a colour on which white text cannot be read (WCAG 2.2, contrast of at least 4.5 : 1)."""
    if not _COLOR.fullmatch(color):
        raise wrong(f"{color!r} is not a colour", "Write it in quotes like '#0b5cad'")
    red, green, blue = (_channel_light(int(color[at : at + 2], 16)) for at in (1, 3, 5))
    if 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) < 4.5:
        raise wrong(f"white text cannot be read on {color}", "Choose a darker colour (contrast of at least 4.5 : 1)")
    return color.lower()


class Brand(Part):
    """In whose name the customer is asked."""

    name: Words = Words(zh="客户服务中心", en="Customer Service")
    """The name that customers read, as sender and on the page."""
    color: Annotated[str, AfterValidator(_readable)] = "#0b5cad"
    """The colour of the page and the mails, in quotes; white text must be readable on it."""


def _fillable(words: Words) -> Words:
    for text in (words.zh, words.en):
        bare = text
        for name in PLACEHOLDERS:
            bare = bare.replace(f"{{{name}}}", "")
        if "{" in bare or "}" in bare:
            raise wrong(f"unknown placeholder in {text!r}", f"Known are {{{'}, {'.join(PLACEHOLDERS)}}}")
    return words


def _linked(words: Words) -> Words:
    if any("{link}" not in text or "{opt_out}" not in text for text in (words.zh, words.en)):
        raise wrong("a message without {link} or {opt_out}", "The customer needs the page and the way out in each text")
    return _fillable(words)


def _one_line(words: Words) -> Words:
    if any(len(text) > 120 or not text.isprintable() for text in (words.zh, words.en)):
        raise wrong("a subject that is longer than 120 characters or a line", "Shorten it to one line")
    return _fillable(words)


def _short(words: Words) -> Words:
    if any(len(text) > 200 for text in (words.zh, words.en)):
        raise wrong("a text of more than 200 characters, three SMS", "Shorten it; 67 characters are one SMS in Chinese")
    return _linked(words)


class Sms(Part):
    """An own text for SMS; placeholders as in `PLACEHOLDERS`."""

    text: Annotated[Words, AfterValidator(_short)]
    """The text, with {link} and {opt_out}."""


class Email(Part):
    """An own subject and text for mails, as plain text; paragraphs are separated by an empty line."""

    subject: Annotated[Words, AfterValidator(_one_line)]
    """The subject, in one line."""
    text: Annotated[Words, AfterValidator(_linked)]
    """The text, with {link} and {opt_out}."""


class Messages(Part):
    """Own texts of one kind of message; what is missing is said in the house's words."""

    sms: Sms | None = None
    """What is said by SMS."""
    email: Email | None = None
    """What is said by mail."""
