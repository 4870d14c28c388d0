from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from email.utils import parseaddr
from typing import cast
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.message import (
    Mail,
    PreparedMail,
    PreparedText,
    Recipient,
    Skeleton,
    encoded_words,
    mailbox,
    mark,
    message_id,
    parts,
    plain,
    usable_address,
    usable_phone,
)

SURVEY = UUID("0195a000-0000-7000-8000-000000000001")
AT = datetime(2026, 3, 2, 2, tzinfo=UTC)
LINK = "https://survey.example.com/s/" + "a" * 27
OPT_OUT = "https://survey.example.com/u/" + "b" * 27
HEADERS = {
    "date", "from", "mime-version", "auto-submitted", "content-language", "list-unsubscribe", "list-unsubscribe-post",
    "content-type", "to", "subject", "message-id",
}  # fmt: skip


def recipient(name: str = "李雷", ticket: str = "INC001", address: str = "li@example.com") -> Recipient:
    return Recipient(address, f"{name}，您好！", name, ticket, LINK, OPT_OUT, "3月9日10:00")


def prepared(
    subject: str = "评价 {ticket}", text: str = "{greeting}\n{link}\n", html: str = "<p>{name}</p>"
) -> PreparedMail:
    for place in ("greeting", "name", "ticket", "link", "opt_out", "expires"):
        subject, text, html = (part.replace(f"{{{place}}}", mark(place)) for part in (subject, text, html))
    return PreparedMail(
        sender="care@example.com", sender_name="客户服务中心", language="zh-CN", subject=subject, text=text, html=html
    )


def fill(mail: PreparedMail, to: Recipient) -> Mail:
    return mail.fill(to, survey=SURVEY, step=0, at=AT)


def parsed(mail: Mail) -> EmailMessage:
    message = message_from_bytes(mail.content, policy=default)
    assert not message.defects
    return message


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return cast("str", part.get_content()).replace("\r\n", "\n")


def test_a_mail_says_who_what_when_and_how_to_decline() -> None:
    message = parsed(fill(prepared(), recipient()))
    assert message["From"] == "客户服务中心 <care@example.com>"
    assert message["To"] == "李雷 <li@example.com>"
    assert message["Subject"] == "评价 INC001"
    assert message["Message-ID"] == f"<{SURVEY}.0@example.com>"
    assert message["Date"].datetime == AT
    assert message["List-Unsubscribe"] == f"<{OPT_OUT}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert body(message, "plain") == f"李雷，您好！\n{LINK}\n"
    assert body(message, "html") == "<p>李雷</p>"


HOSTILE = st.text(min_size=0, max_size=60) | st.sampled_from([
    "x\r\nBcc: spy@example.com",
    "x\n.\nRCPT TO:<a@example.com>",
    "x \r\n\r\n--=_huifang_part--",
    "<script>alert(1)</script>",
    "=?utf-8?b?eA==?=",
    "\u202eevil",
    "\ue000link\ue001",
    "{link}",
    "a" * 300,
    "张" * 100,
    '"',
    "\\",
    "=",
    "=20",
])  # fmt: skip


@given(name=HOSTILE, ticket=HOSTILE)
def test_no_value_breaks_out_of_its_place(name: str, ticket: str) -> None:
    mail = fill(prepared(html="<p title='{name}'>{ticket}</p><a href='{link}'>x</a>"), recipient(name, ticket))
    message = parsed(mail)
    assert {key.lower() for key in message.keys()} == HEADERS  # noqa: SIM118 - a message is no mapping
    assert len(message.keys()) == len(HEADERS)
    assert len(list(message.iter_parts())) == 2
    assert body(message, "html").count("<") == 4
    assert body(message, "plain").count("\n") == 2
    assert parseaddr(str(message["To"]))[1] == "li@example.com"
    assert max(len(line) for line in mail.content.split(b"\r\n")) <= 998
    assert b"\n" not in mail.content.replace(b"\r\n", b"")
    assert mail.content.isascii()


@given(
    st.lists(st.text(st.characters(exclude_characters="\r\ue000\ue001", exclude_categories=("Cs", "Cn"))), min_size=1),
    st.text(st.characters(exclude_categories=("Cs", "Cc"))),
)
def test_bodies_come_out_as_they_went_in(fixed: list[str], name: str) -> None:
    """Whatever stands beside a place, encoding piece by piece gives what encoding the whole would."""
    text = "{name}".join(piece.replace("{", "(") for piece in fixed)
    mail = fill(prepared(text=text), recipient(name))
    assert all(len(line) <= 76 for line in mail.content.partition(b"\r\n\r\n")[2].split(b"\r\n"))
    assert body(parsed(mail), "plain") == text.replace("{name}", plain(name))


@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp", "Co", "Cn"))))
def test_headers_come_out_as_they_went_in(text: str) -> None:
    lines = encoded_words(text).split("\r\n ")
    assert all(len(line) <= 200 and line.isascii() for line in lines)
    assert str(make_header(decode_header("".join(lines)))) == text or text.isascii()


@pytest.mark.parametrize("name", ["", "Bob", 'O"Neil, Bob', "back\\slash", "李雷", "=?x?=", "a@b", "张" * 13])
def test_mailboxes_are_read_as_they_are_meant(name: str) -> None:
    message = message_from_bytes(f"To: {mailbox(name, 'x@example.com')}\r\n\r\n".encode("ascii"), policy=default)
    [address] = message["To"].addresses
    assert (address.display_name, address.addr_spec) == (name.strip(), "x@example.com")


def test_a_message_id_is_the_same_for_every_attempt_and_its_own_for_every_step() -> None:
    assert message_id(SURVEY, 1, "care@example.com") == message_id(SURVEY, 1, "care@example.com")
    assert message_id(SURVEY, 1, "care@example.com") != message_id(SURVEY, 2, "care@example.com")


UNUSABLE = (
    None, "", "li", "li@", "@example.com", "li@@example.com", "li@a@example.com", "li@example", "li@-a.example.com",
    "li@example.com\r\nBcc: x@example.com", "li@exam ple.com", "李@example.com", ".li@example.com", "l..i@example.com",
    "li@[127.0.0.1]", "li@127.0.0.1", "<li@example.com>", "li@example.com>", "x" * 65 + "@example.com",
    "li@" + "a." * 130 + "com",
)  # fmt: skip


@pytest.mark.parametrize(
    ("address", "usable"),
    [
        ("li@example.com", "li@example.com"),
        ("Li.Lei+tag@Sub.Example.COM", "Li.Lei+tag@sub.example.com"),
        ("li@例子.cn", "li@xn--fsqu00a.cn"),
        *((address, None) for address in UNUSABLE),
    ],
)
def test_addresses_that_can_be_put_into_an_envelope(address: str | None, usable: str | None) -> None:
    assert usable_address(address) == usable


@pytest.mark.parametrize(
    ("phone", "usable"),
    [
        ("+8613800138000", True),
        ("13800138000", False),
        ("+86 138", False),
        ("+8613800138000;DROP", False),
        ("+0123456789", False),
        ("+" + "1" * 16, False),
        ("+٨٦١٣٨٠٠١٣", False),
        (None, False),
    ],
)
def test_numbers_that_can_be_dialled(phone: str | None, usable: bool) -> None:
    assert usable_phone(phone) == (phone if usable else None)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2),
        ("张" * 70, 1), ("张" * 71, 2), ("张" * 134, 2), ("张" * 135, 3), ("😀" * 35, 1), ("😀" * 36, 2), ("", 1),
    ],
)  # fmt: skip
def test_parts_are_counted_as_they_are_paid(text: str, count: int) -> None:
    assert parts(text) == count


def test_the_politest_text_that_fits_into_one_part_is_sent() -> None:
    long, short, shortest = ("张" * size + mark("link") for size in (90, 10, 1))
    text = PreparedText([long, short, shortest]).fill(recipient(), reference="r")
    assert text.text == "张" * 10 + LINK
    assert (text.parts, text.reference, text.link) == (1, "r", LINK)


def test_a_text_is_one_line() -> None:
    text = PreparedText([f"{mark('name')}\n{mark('link')}"]).fill(recipient(name="a\r\nb"), reference="r")
    assert text.text == f"a b {LINK}"


def test_unknown_places_are_refused() -> None:
    with pytest.raises(ValueError, match="phone"):
        Skeleton(mark("phone"))
