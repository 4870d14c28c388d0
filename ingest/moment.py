"""Times as ITSM systems write them."""

import re
from datetime import UTC, datetime, timedelta, tzinfo

_TEXT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,20}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS_FROM = 100_000_000_000
"""As seconds this is the year 5138, as milliseconds 1973: no time of a ticket is on the wrong side of it."""


class MomentError(ValueError):
    """The value is no time, or has no zone where it needs one."""


def read_moment(value: object, zone: tzinfo | None) -> datetime:
    """The time in UTC, from ISO 8601 text (any precision, kept to microseconds) or Unix seconds or milliseconds.

    `zone` is what a time without a zone is meant in; None refuses such a time. Raises `MomentError`.
    """
    if isinstance(value, str):
        text = value.strip()
        if _TEXT.fullmatch(text):
            return _from_text(text, zone)
        if _NUMBER.fullmatch(text):
            return _from_number(int(text))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        return _from_number(value)
    raise MomentError("not a time: ISO 8601 with a zone, or Unix seconds or milliseconds, is understood")


def _from_text(text: str, zone: tzinfo | None) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            if zone is None:
                raise MomentError("the time has no zone")
            moment = moment.replace(tzinfo=zone)
        return moment.astimezone(UTC)
    except MomentError:
        raise
    except (ValueError, OverflowError) as error:
        raise MomentError(f"no such time: {error}") from None


def _from_number(number: float) -> datetime:
    milliseconds = number if abs(number) >= _MILLISECONDS_FROM else number * 1000
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except (ValueError, OverflowError):
        raise MomentError("no such time: far out of range") from None
