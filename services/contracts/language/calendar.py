"""The company's time, and how often it may disturb anybody."""

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import holidays
from pydantic import AfterValidator, Field

from services.contracts.language.names import distinct
from services.contracts.part import Part, wrong
from services.contracts.quantities import HoursText, RateText, WorkingHoursText, read_hours, read_working_hours

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WORKING_WEEK: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")
_COUNTRIES = frozenset(holidays.list_supported_countries())


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise wrong(f"unknown time zone {name!r}", "Write an IANA zone like Asia/Shanghai or Europe/Berlin") from None
    return name


def _country(code: str) -> str:
    if code not in _COUNTRIES:
        raise wrong(f"no holidays are known for {code!r}", "Write an ISO 3166 country code like CN or DE")
    return code


class Calendar(Part):
    """The company's time: zone, public holidays, working days and hours, and when nobody is disturbed.

    `quiet` applies in the person's own zone where it is known, else in `timezone`; equal ends mean never.
    Days swapped by decree (China's make-up working days) count as the country keeps them.
    """

    timezone: Annotated[str, AfterValidator(_zone), Field(examples=["Asia/Shanghai", "Europe/Berlin"])]
    """The company's IANA time zone."""
    holidays: Annotated[str, AfterValidator(_country), Field(examples=["CN", "DE"])] | None = None
    """The country whose public holidays are kept, by its ISO 3166 code; none without it."""
    workdays: Annotated[tuple[Weekday, ...], Field(min_length=1), AfterValidator(distinct)] = _WORKING_WEEK
    """The days of a working week."""
    hours: WorkingHoursText = read_working_hours("09:00-18:00")
    """Working hours, in quotes: calls are made and working hours counted within them."""
    quiet: HoursText = read_hours("21:00-08:30")
    """When no message is sent and nobody is called, in quotes; across midnight where the end is earlier."""


class Limits(Part):
    """How often one person is asked, across all surveys of the house, and how long a questionnaire may be."""

    per_person: RateText | None = None
    """At most so many surveys of one person within any such period: `1 in 14 days`."""
    questions: int = Field(default=60, ge=1, le=200)
    """The most items that a questionnaire of this policy may have."""
