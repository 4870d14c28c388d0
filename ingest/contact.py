"""By which addresses a person can be reached, from what an ITSM says about him."""

import re
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import phonenumbers
from msgspec.structs import replace
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from services.contracts.tickets import Contact, Requester

LONGEST_MAIL = 254
LONGEST_NAME = 200
CACHED = 65_536

REMEDIES = {
    "name": "Write it with letters that can be seen, or leave it empty",
    "email": "Write an address that mail can be sent to, or leave it empty",
    "phone": "Write a person's number like +8613800138000, or leave it empty",
    "locale": "Write a language tag like zh-CN, or leave it empty",
    "timezone": "Write an IANA time zone like Asia/Shanghai, or leave it empty",
}
"""What to do about a field that cannot be used."""

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64})*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MAIL = re.compile(rf"(?=[^@]{{1,64}}@){_LOCAL}@(?:{_LABEL}\.)+(?:[A-Za-z]{{2,63}}|xn--[A-Za-z0-9-]{{2,59}})")
_PHONE = re.compile(r"\+?[0-9０-９][0-9０-９ ()./\u00a0\-]{4,30}[0-9０-９]|\([0-9]{1,5}\)[0-9 ./\-]{4,30}[0-9]")
_CHINESE_MOBILE = re.compile(r"(?:\+86)?(1(?:3\d|4[57]|5[0-35-9]|6[25-7]|7[0-35-8]|8\d)\d{8})")
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")
_COSTLY = frozenset({PhoneNumberType.PREMIUM_RATE, PhoneNumberType.PAGER})
_ONLY_CALLED = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.UAN,
        PhoneNumberType.VOICEMAIL,
    }
)
_LEAST_DIGITS = 9
"""A number that the metadata do not know is taken for one from this length on: ranges are opened all the time."""


class Usable(NamedTuple):
    """What of a person's data can be used; the rest is None."""

    name: str | None
    email: str | None
    phone: str | None
    locale: str | None
    timezone: str | None


def usable(person: Requester, region: str) -> Usable:
    """Checks e-mail syntax and telephone number; `region` is the country of numbers without a country code.

    Addresses outside ASCII are refused: a domain can be given in its `xn--` form, a look-alike cannot be told by eye.
    """
    email = read_email(person.email) if person.email else None
    phone = read_phone(person.phone, region) if person.phone else None
    locale = person.locale if person.locale and is_locale(person.locale) else None
    timezone = person.timezone if person.timezone and is_timezone(person.timezone) else None
    return Usable(read_name(person.name), email, phone, locale, timezone)


def refused(person: Requester, region: str) -> list[str]:
    """The fields that were given and cannot be used."""
    found = usable(person, region)
    return [name for name in Usable._fields if getattr(person, name) and getattr(found, name) is None]


def is_reachable(contact: Contact | None) -> bool:
    """Whether somebody is known, and by some channel."""
    return contact is not None and bool(contact.channels)


def is_complete(contact: Contact | None) -> bool:
    """Whether the register has nothing to add to how somebody is reached."""
    return contact is not None and bool(contact.channels and contact.locale and contact.timezone)


def complete(told: Contact | None, registered: Contact | None, staff: bool) -> Contact | None:
    """Who is asked: the person as the ticket told him if he can be reached so, else as the register knows him.

    `staff`: the ticket says that he is one of our own.
    """
    if registered is None:
        return told
    if told is not None and told.channels:
        locale, timezone = told.locale or registered.locale, told.timezone or registered.timezone
        return replace(told, locale=locale, timezone=timezone, staff=told.staff or registered.staff)
    return replace(registered, staff=registered.staff or staff)


def without_sms(contact: Contact, phone: str | None) -> Contact:
    """The contact with the channels that suit the number: a fixed line can only be called."""
    if phone is None or takes_sms(phone):
        return contact
    return replace(contact, channels=tuple(channel for channel in contact.channels if channel != "sms"))


def needs_veil(id: str) -> bool:
    """Whether an ITSM's id of a person tells more than an id: an address or number stands in its place."""
    return "@" in id or id.startswith("+") or len(id) > LONGEST_NAME or not id.isprintable()


def read_name(text: str | None) -> str | None:
    """The name on one line, without control characters; None where nothing is left."""
    if not text:
        return None
    line = text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)
    return line.strip()[:LONGEST_NAME] or None


def read_email(text: str) -> str | None:
    """The address, or None where a mail to it could not be sent as it stands."""
    address = text.strip(" ")
    return address if len(address) <= LONGEST_MAIL and _MAIL.fullmatch(address) else None


@lru_cache(CACHED)
def read_phone(text: str, region: str) -> str | None:
    """The number in E.164; None for what is no number, is too short to be a customer's, or costs whoever calls it."""
    written = text.strip(" ")
    mobile = _CHINESE_MOBILE.fullmatch(written)
    # The numbers of most customers, without forty microseconds of metadata.
    if mobile and (region == "CN" or written.startswith("+86")):
        return f"+86{mobile[1]}"
    if not _PHONE.fullmatch(written):
        return None
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    known = phonenumbers.is_valid_number(number) or len(str(number.national_number)) >= _LEAST_DIGITS
    if not known or phonenumbers.number_type(number) in _COSTLY:
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


@lru_cache(CACHED)
def takes_sms(phone: str) -> bool:
    """Whether an SMS to the number (E.164) could arrive; a fixed line can only be called."""
    if _CHINESE_MOBILE.fullmatch(phone):
        return True
    return phonenumbers.number_type(phonenumbers.parse(phone)) not in _ONLY_CALLED


@lru_cache(1_024)
def is_locale(tag: str) -> bool:
    """Whether it looks like a language tag."""
    return _LOCALE.fullmatch(tag) is not None


@lru_cache(1_024)
def is_timezone(name: str) -> bool:
    """Whether it is an IANA time zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
