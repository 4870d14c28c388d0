"""Periods of the calendar: their names, and whether a figure's time is one of them. Pure."""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Final

from services.contracts.language.names import Period

_FIRST_MONTHS: Final[Mapping[Period, int]] = {"month": 1, "quarter": 3, "year": 12}


def name_of(moment: datetime, period: Period, zone: tzinfo) -> str:
    """The period that holds a moment, by the zone's own clock: `2026`, `2026-Q1`, `2026-03`, `2026-W10` (ISO 8601)."""
    local = moment.astimezone(zone)
    if period == "week":
        year, week, _ = local.isocalendar()
        return f"{year}-W{week:02}"
    if period == "quarter":
        return f"{local.year}-Q{(local.month + 2) // 3}"
    return f"{local.year}" if period == "year" else f"{local.year}-{local.month:02}"


def begins(moment: datetime, period: Period, zone: tzinfo) -> bool:
    """Whether a period begins at that moment."""
    local = moment.astimezone(zone)
    midnight = (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0)
    if period == "week":
        return midnight and local.isoweekday() == 1
    return midnight and local.day == 1 and (local.month - 1) % _FIRST_MONTHS[period] == 0


def is_of(since: datetime | None, until: datetime | None, period: Period, zone: tzinfo) -> bool:
    """Whether the time from `since` until before `until` is one such period, or that period so far."""
    if since is None or until is None or not begins(since, period, zone):
        return False
    return name_of(since, period, zone) == name_of(until - datetime.resolution, period, zone)
