import pytest

from ingest.contact import (
    complete,
    is_complete,
    is_reachable,
    needs_veil,
    read_email,
    read_name,
    read_phone,
    refused,
    takes_sms,
    usable,
    without_sms,
)
from services.contracts.tickets import Requester
from tests.ingest.test_ticket import somebody

BAD_PHONES = [
    "+8613800138000;DROP",
    "call me",
    "1" * 30,
    "110",
    "120",
    "+86110",
    "12345",
    "+19005550123",
    "",
    "+",
    "((((",
]
BAD_PHONES += ["+8613800138000\r\nBcc: x", "tel:13800138000", "９" * 40, "+999999999999"]
BAD_MAILS = [
    "a@b.co\r\nBcc: x@y.z",
    "a@b.co\r\n",
    "a@@b.co",
    "a@b@c.co",
    "x@exаmple.com",
    "a b@c.co",
    "@b.co",
    "a@",
    "a@b",
]
BAD_MAILS += [
    ".a@b.co",
    "a..b@c.co",
    "a.@b.co",
    "a@-b.co",
    "A <a@b.co>",
    "a@1.2.3.4",
    "a" * 65 + "@b.co",
    "a@" + "b." * 130 + "co",
]


@pytest.mark.parametrize("text", BAD_PHONES)
def test_row_19_numbers_that_cannot_be_used(text: str) -> None:
    assert read_phone(text, "CN") is None


@pytest.mark.parametrize("text", BAD_MAILS)
def test_row_19_addresses_that_cannot_be_used(text: str) -> None:
    assert read_email(text) is None


@pytest.mark.parametrize(
    ("text", "region", "number", "by_sms"),
    [
        ("+8613800138000", "CN", "+8613800138000", True),
        ("138 0013 8000", "CN", "+8613800138000", True),
        ("１３８００１３８０００", "CN", "+8613800138000", True),
        ("0061 2 1234 7777", "CN", "+61212347777", False),
        ("(010) 6552-9988", "CN", "+861065529988", False),
        ("400-812-3123", "CN", "+864008123123", False),
        ("+1 (202) 555-0123", "CN", "+12025550123", True),
        ("+44 7700 900123", "CN", "+447700900123", True),
        ("07700 900123", "GB", "+447700900123", True),
    ],
)
def test_numbers_in_e164_and_which_take_sms(text: str, region: str, number: str, by_sms: bool) -> None:
    assert read_phone(text, region) == number
    assert takes_sms(number) is by_sms


def test_a_number_without_country_code_is_the_region_s() -> None:
    assert read_phone("13800138000", "US") == "+13800138000"
    assert read_phone("13800138000", "GB") is None


@pytest.mark.parametrize(
    "text", ["ann@example.com", " ann@example.com ", "o'neil+x@a-b.co.uk", "x@xn--fsq.xn--0zwm56d"]
)
def test_addresses_that_can_be_used(text: str) -> None:
    assert read_email(text) == text.strip()


def test_what_of_a_person_can_be_used() -> None:
    person = Requester(name=" 王\r\n芳 ", email="a@b", phone="13800138000", locale="zh-CN", timezone="Asia/NoWhere")
    assert usable(person, "CN") == ("王  芳", None, "+8613800138000", "zh-CN", None)
    assert refused(person, "CN") == ["email", "timezone"]
    assert refused(Requester(locale="../../etc", timezone="../../etc"), "CN") == ["locale", "timezone"]
    assert refused(Requester(), "CN") == []


def test_a_name_is_one_line() -> None:
    assert read_name("x" * 300) == "x" * 200
    assert read_name("\r\n") is None
    assert read_name(None) is None


def test_the_ticket_s_own_contact_wins_and_the_register_completes_it() -> None:
    told = somebody(1, "email")
    registered = type(told)(
        person=told.person, channels=("sms",), sealed=b"r", locale="zh-CN", timezone="Asia/Shanghai"
    )
    asked = complete(told, registered, staff=False)
    assert asked is not None
    assert (asked.sealed, asked.channels, asked.locale, asked.timezone) == (b"x", ("email",), "zh-CN", "Asia/Shanghai")
    assert is_complete(asked)
    assert not is_complete(told)


def test_the_register_knows_whom_the_ticket_only_names() -> None:
    registered = somebody(2, "sms")
    assert complete(None, registered, staff=False) == registered
    assert complete(somebody(1), registered, staff=False) == registered
    assert complete(None, registered, staff=True) == type(registered)(
        person=registered.person, channels=("sms",), sealed=b"x", staff=True
    )
    assert complete(somebody(1), None, staff=False) == somebody(1)
    assert not is_reachable(somebody(1))


def test_a_fixed_line_is_only_called() -> None:
    contact = somebody(1, "email", "sms", "call")
    assert without_sms(contact, "+861065529988").channels == ("email", "call")
    assert without_sms(contact, "+8613800138000") == contact
    assert without_sms(somebody(1, "email"), None) == somebody(1, "email")


@pytest.mark.parametrize(
    ("name", "veiled"),
    [("681ccaf9", False), ("8", False), ("ann@example.com", True), ("+8613800138000", True), ("a\0", True)],
)
def test_ids_that_tell_more_than_an_id(name: str, veiled: bool) -> None:
    assert needs_veil(name) is veiled
