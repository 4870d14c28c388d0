"""Mails and text messages as bytes and text. Pure.

Building a mail from parts costs a millisecond, so it is prepared once per policy version, kind and language, with
*places* where one recipient differs from the next, and each mail only fills them in. Values are escaped for where they
stand: no name or ticket number can break out into a header, into markup or into another line.
"""

import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from html import escape
from typing import Final, Literal, TypeVar
from uuid import UUID

Place = Literal["greeting", "name", "ticket", "link", "opt_out", "expires"]
Piece = TypeVar("Piece", str, bytes)
PLACES: Final[tuple[Place, ...]] = ("greeting", "name", "ticket", "link", "opt_out", "expires")

_BOUNDARY = "=_huifang_part"  # cannot occur in quoted-printable
_BEFORE = "\r\n--{}\r\nContent-Type: text/{}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
_BEFORE_TEXT = _BEFORE.format(_BOUNDARY, "plain").encode()
_BEFORE_HTML = _BEFORE.format(_BOUNDARY, "html").encode()
_AFTER = f"\r\n--{_BOUNDARY}--\r\n".encode()
_SOFT_BREAK = b"=\r\n"
_SAFE = re.compile(r"[!-<>-~]{1,75}")
_OPEN, _CLOSE = "\ue000", "\ue001"
_MARKED = re.compile(f"{_OPEN}([a-z_]+){_CLOSE}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ue000\ue001]+")
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_ADDRESS = re.compile(
    r"(?P<local>[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)@(?P<domain>[^@\s]+)"
)
_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_DOUBLE = frozenset("^{}\\[~]|€\f")


def mark(place: str) -> str:
    """What stands in a wording for a place until it is filled in; unknown to HTML, so that templates let it pass."""
    return f"{_OPEN}{place}{_CLOSE}"


class Skeleton:
    """A text cut at its places."""

    def __init__(self, text: str) -> None:
        parts = _MARKED.split(text)
        unknown = set(parts[1::2]) - set(PLACES)
        if unknown:
            raise ValueError(f"unknown places: {', '.join(sorted(unknown))}")
        self._fixed = parts[::2]
        self._places = parts[1::2]

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with each place replaced by its value, as it is."""
        return "".join(_interleaved(self._fixed, [values[place] for place in self._places]))

    def encoded(self) -> "EncodedSkeleton":
        """The same in quoted-printable, to be filled with encoded values."""
        return EncodedSkeleton([_quoted_printable(part) for part in self._fixed], self._places)


class EncodedSkeleton:
    """A body in quoted-printable (RFC 2045 section 6.7), cut at its places.

    A soft line break stands on both sides of each place, so the pieces can be encoded one by one, the fixed ones once
    and for all, and no line grows too long.
    """

    def __init__(self, fixed: Sequence[bytes], places: Sequence[str]) -> None:
        self._fixed = fixed
        self._places = places

    def fill(self, values: Mapping[str, bytes]) -> bytes:
        """The body with each place replaced by its value, which is encoded already (`encoded_value`)."""
        return _SOFT_BREAK.join(_interleaved(self._fixed, [values[place] for place in self._places]))


def plain(value: str) -> str:
    """A value on one line, without control, direction and mark characters."""
    return _CONTROL.sub(" ", value).strip()


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where one message goes, and what is particular to it; `greeting` and `expires` are written out already."""

    address: str
    greeting: str
    name: str
    ticket: str
    link: str
    opt_out: str
    expires: str

    def values(self) -> dict[str, str]:
        """The places' values, each on one line."""
        return {place: plain(getattr(self, place)) for place in PLACES}


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail ready to be handed over: the envelope's recipient and the message with CRLF line ends."""

    recipient: str
    message_id: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Text:
    """A text message ready to be sent. `reference` is ours; `link` is for providers of approved templates only."""

    recipient: str
    reference: str
    text: str
    link: str
    parts: int


def usable_address(address: str | None) -> str | None:
    """The e-mail address as it may be put into an envelope, its domain in ASCII; None where it cannot be used."""
    found = _ADDRESS.fullmatch(address) if address and len(address) <= 254 else None
    if found is None or len(found["local"]) > 64:
        return None
    try:
        domain = found["domain"].encode("idna").decode().lower()
    except UnicodeError:
        return None
    labels = domain.split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        return None
    return f"{found['local']}@{domain}"


def usable_phone(phone: str | None) -> str | None:
    """The telephone number where it is a plain E.164 one, else None."""
    return phone if phone and _PHONE.fullmatch(phone) else None


def message_id(survey: UUID, step: int, sender: str) -> str:
    """The same for every attempt of a step, so that a copy, should there ever be one, is known as a copy."""
    return f"<{survey}.{step}@{sender.rpartition('@')[2]}>"


def encoded_words(text: str) -> str:
    """A header's text: as it is where it is plain ASCII, else as folded encoded words (RFC 2047)."""
    if text.isascii() and len(text) <= 200 and "=?" not in text:
        return text
    return "\r\n ".join(f"=?utf-8?b?{_base64(piece)}?=" for piece in _pieces(text, 39))


def mailbox(name: str, address: str) -> str:
    """`name <address>` for a header; the name is quoted or encoded as it needs."""
    name = plain(name)
    if not name:
        return address
    if not name.isascii() or "=?" in name:
        return f"{encoded_words(name)}\r\n <{address}>"
    if _ATOM.fullmatch(name):
        return f"{name} <{address}>"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{address}>'


class PreparedMail:
    """One mail for one policy version, kind and language: everything done but the recipient.

    `sender` is the address, `sender_name` the brand; `text` and `html` hold marks of places (`mark`).
    """

    def __init__(self, *, sender: str, sender_name: str, language: str, subject: str, text: str, html: str) -> None:
        self._sender = sender
        self._subject = Skeleton(one_line(subject))
        self._text = Skeleton(text).encoded()
        self._html = Skeleton(html).encoded()
        self._head = (
            f"From: {mailbox(sender_name, sender)}\r\n"
            "MIME-Version: 1.0\r\n"
            "Auto-Submitted: auto-generated\r\n"
            f"Content-Language: {language}\r\n"
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
            f'Content-Type: multipart/alternative; boundary="{_BOUNDARY}"\r\n'
        )

    def fill(self, to: Recipient, *, survey: UUID, step: int, at: datetime) -> Mail:
        """The mail for one recipient, dated `at`. `to.address` is a usable one (`usable_address`)."""
        values = to.values()
        encoded = {place: encoded_value(value) for place, value in values.items()}
        escaped = {place: escape(value) for place, value in values.items()}
        changed = {place: encoded_value(value) for place, value in escaped.items() if value != values[place]}
        identifier = message_id(survey, step, self._sender)
        head = (
            f"Date: {format_datetime(at)}\r\n"
            f"{self._head}"
            f"To: {mailbox(values['name'], to.address)}\r\n"
            f"Subject: {encoded_words(self._subject.fill(values))}\r\n"
            f"Message-ID: {identifier}\r\n"
            f"List-Unsubscribe: <{values['opt_out']}>\r\n\r\n"
        )
        content = b"".join(
            (
                head.encode("ascii"),
                _BEFORE_TEXT,
                self._text.fill(encoded),
                _BEFORE_HTML,
                self._html.fill({**encoded, **changed}),
                _AFTER,
            )
        )
        return Mail(to.address, identifier, content)


class PreparedText:
    """A text message in several lengths, politest first; each recipient gets the first that fits into one part."""

    def __init__(self, wordings: Sequence[str]) -> None:
        self._skeletons = [Skeleton(one_line(wording)) for wording in wordings]

    def fill(self, to: Recipient, *, reference: str) -> Text:
        """The text for one recipient. `to.address` is a usable number (`usable_phone`)."""
        values = to.values()
        texts = [skeleton.fill(values) for skeleton in self._skeletons]
        best = min(texts, key=parts)  # the first of the shortest: `min` keeps the earlier one of equals
        return Text(to.address, reference, best, values["link"], parts(best))


def parts(text: str) -> int:
    """How many parts a text message is sent, and paid, as: 160 (then 153) letters of GSM 03.38, else 70 (then 67)."""
    if all(letter in _GSM or letter in _GSM_DOUBLE for letter in text):
        length = len(text) + sum(letter in _GSM_DOUBLE for letter in text)
        return 1 if length <= 160 else -(-length // 153)
    length = len(text.encode("utf-16-le")) // 2
    return 1 if length <= 70 else -(-length // 67)


def one_line(wording: str) -> str:
    """A wording on one line, its marks kept."""
    pieces = _MARKED.split(wording)
    texts = [_CONTROL.sub(" ", piece) for piece in pieces[::2]]
    marks = [f"{_OPEN}{place}{_CLOSE}" for place in pieces[1::2]]
    return "".join(text + mark for text, mark in zip(texts, [*marks, ""], strict=True)).strip()


def encoded_value(value: str) -> bytes:
    """A value in quoted-printable, on lines of its own."""
    return value.encode() if _SAFE.fullmatch(value) else _quoted_printable(value)


def _quoted_printable(text: str) -> bytes:
    """The text encoded so that a soft line break may follow: the letter after it, taken off again, keeps its place."""
    encoded = binascii.b2a_qp((text.replace("\r\n", "\n") + "x").encode(), istext=True)
    return encoded[:-1].replace(b"\n", b"\r\n")


def _interleaved(fixed: Sequence[Piece], values: Sequence[Piece]) -> list[Piece]:
    """What stands between places and what stands in them, in turn."""
    pieces = list(fixed) + list(values)
    pieces[::2] = fixed
    pieces[1::2] = values
    return pieces


def _base64(text: str) -> str:
    return binascii.b2a_base64(text.encode(), newline=False).decode()


def _pieces(text: str, size: int) -> list[str]:
    """The text in pieces of at most `size` bytes of UTF-8, no letter cut."""
    pieces, piece, length = [], "", 0
    for letter in text:
        width = len(letter.encode())
        if length + width > size:
            pieces.append(piece)
            piece, length = "", 0
        piece += letter
        length += width
    return [*pieces, piece]
