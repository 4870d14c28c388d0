"""What is in a message: the readable parts of a mail, and the links in it, as its reader would find them."""

import re
from collections.abc import Iterable, Iterator
from email import policy
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import urlsplit

_LINK = re.compile(r"https?://[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_AFTER_A_LINK = ".,;:!?'\")]"
_SURVEY = "/s/"


class Mail(NamedTuple):
    """A mail as its reader sees it. `html` is None where it has no such part."""

    sender: str
    subject: str
    text: str
    html: str | None


class Piece(NamedTuple):
    """A stretch of text, and where it leads, if it is a link."""

    text: str
    link: str | None = None


def read_mail(content: bytes) -> Mail:
    """The readable parts of a mail in RFC 5322 form; an unknown character set is read as well as it can be."""
    message = BytesParser(EmailMessage, policy=policy.default).parsebytes(content)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    return Mail(
        sender=str(message["from"] or ""),
        subject=str(message["subject"] or ""),
        text=_content(text) if text else "",
        html=_content(html) if html else None,
    )


def find_links(text: str, html: str | None) -> list[str]:
    """Every link, once, and first the one that a reader would click: the survey's own, before its `?score=…`."""
    anchors = _Anchors()
    anchors.feed(html or "")
    found = dict.fromkeys([*(piece.link for piece in pieces(text) if piece.link), *anchors.links])
    return sorted(found, key=_rank)


def is_survey(link: str) -> bool:
    """Whether a link leads to a survey page."""
    return urlsplit(link).path.startswith(_SURVEY)


def pieces(text: str) -> Iterator[Piece]:
    """The text, cut where links begin and end."""
    end = 0
    for match in _LINK.finditer(text):
        link = match.group().rstrip(_AFTER_A_LINK)
        if match.start() > end:
            yield Piece(text[end : match.start()])
        yield Piece(link, link)
        end = match.start() + len(link)
    if end < len(text):
        yield Piece(text[end:])


def open_links_outside(html: str) -> str:
    """The same page with every link opening in a new tab."""
    base = '<base target="_blank">'
    changed, count = re.subn(r"(?i)<head(\s[^>]*)?>", lambda head: head.group() + base, html, count=1)
    return changed if count else base + html


def _rank(link: str) -> int:
    return (1 if urlsplit(link).query else 0) if is_survey(link) else 2


def _content(part: MIMEPart) -> str:
    try:
        content = part.get_content()
    except LookupError:
        payload = part.get_payload(decode=True)
        content = payload.decode(errors="replace") if isinstance(payload, bytes) else ""
    return str(content).replace("\r\n", "\n").replace("\0", "")


class _Anchors(HTMLParser):
    """Collects where the links of a page lead."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href") if tag in ("a", "area") else None
        if href and href.startswith(("http://", "https://")):
            self.links.append(href)
