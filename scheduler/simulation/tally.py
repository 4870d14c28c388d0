"""What a simulation comes to, in figures: everything is counted from what was done, not from what was meant."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from statistics import median
from uuid import UUID

import msgspec

from scheduler.dossier import Dossier
from scheduler.plan import next_term, term_of
from scheduler.simulation.world import Deed, World
from services.contracts.quantities import Rate

HOURS = (1, 2, 4, 8, 12, 24, 48, 72, 120, 240)
"""Ends of the classes by which times to the first contact are shown, in hours."""

_IN_PERSON = frozenset({"call", "visit"})
_TALKED = frozenset({"delivered", "refused"})
_OUTGOING = frozenset({"said", "accepted", "failed"})


class Decisions(msgspec.Struct, frozen=True, kw_only=True):
    """How many reasons to ask were decided so. `on` is what happened: a closed ticket, an occasion, the calendar."""

    on: str
    outcome: str
    reason: str
    count: int


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the surveys of one rule. `in_time` and `late` are first contacts, by the promise."""

    name: str
    surveys: int
    answered: int
    declined: int
    expired: int
    unreachable: int
    cancelled: int
    in_time: int
    late: int
    messages: int
    calls: int
    visits: int


class FirstContact(msgspec.Struct, frozen=True, kw_only=True):
    """The promise: of `owed` first contacts so many were made in time. Hours count from the closing or opening."""

    owed: int
    in_time: int
    share: float | None
    median_hours: float | None
    by_hours: tuple[tuple[str, int], ...]


class PerPerson(msgspec.Struct, frozen=True, kw_only=True):
    """How often one person was asked: `most` within the limit's period, and people by their number of surveys."""

    limit: str | None
    most: int
    kept: bool
    people: tuple[tuple[int, int], ...]


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Work of one kind by days of the company: in all, the mean of its working days, and the heaviest."""

    kind: str
    total: int
    mean: float
    most: int
    most_on: date | None
    days: tuple[tuple[date, int], ...]


class DueReport(msgspec.Struct, frozen=True, kw_only=True):
    """A report that the policy owes for a period."""

    report: str
    period: str
    due: date


def decisions(world: World) -> tuple[Decisions, ...]:
    """The decisions by what happened, outcome and reason, the most frequent first."""
    found: Counter[tuple[str, str, str]] = Counter()
    for closure in world.closures.values():
        if closure.verdict is not None and closure.closing is not None:
            found[closure.closing.on, closure.verdict.outcome, closure.verdict.reason] += 1
    ordered = sorted(found.items(), key=lambda each: (-each[1], each[0]))
    return tuple(Decisions(on=on, outcome=outcome, reason=reason, count=n) for (on, outcome, reason), n in ordered)


def surveys(world: World) -> tuple[Survey, ...]:
    """What became of the surveys of each rule of the policy, in its order."""
    states: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for dossier in world.surveys.values():
        counted = states[dossier.rule.name]
        counted[dossier.survey.state] += 1
        counted[promise_of(dossier)] += 1
    for deed in world.deeds:
        states[world.surveys[deed.key].rule.name][_work(deed)] += 1
    return tuple(_survey(name, states[name]) for name in world.rules)


def _survey(name: str, counted: Counter[str]) -> Survey:
    ends = ("answered", "declined", "expired", "unreachable", "cancelled")
    return Survey(
        name=name,
        surveys=sum(counted[state] for state in (*ends, "planned", "due", "sent")),
        **{state: counted[state] for state in ends},
        in_time=counted["in time"],
        late=counted["late"],
        messages=counted["message"],
        calls=counted["call"],
        visits=counted["visit"],
    )


def _work(deed: Deed) -> str:
    """What a deed costs: a message, a talk on the telephone or on site; or nothing."""
    if deed.what in ("accepted", "failed"):
        return "message"
    return deed.channel if deed.channel in _IN_PERSON and deed.what in _TALKED else "nothing"


def contact_of(dossier: Dossier) -> datetime | None:
    """When the person was first reached: by a message or an answer, or by a talk in which he refused."""
    survey = dossier.survey
    talked = survey.state == "declined" and any(survey.steps)
    return survey.contacted_at or (survey.ended_at if talked else None)


def promise_of(dossier: Dossier) -> str:
    """Whether the first contact was `in time` or `late`, or `not owed` because its reason was gone before."""
    at, survey = contact_of(dossier), dossier.survey
    if at is None and survey.state in ("cancelled", "declined"):
        return "not owed"
    return "in time" if at is not None and at <= survey.promised_by else "late"


def first_contact(world: World) -> FirstContact:
    """How the promise was kept."""
    states = Counter(promise_of(dossier) for dossier in world.surveys.values())
    hours = [waited for dossier in world.surveys.values() if (waited := _waited(dossier)) is not None]
    owed = states["in time"] + states["late"]
    return FirstContact(
        owed=owed,
        in_time=states["in time"],
        share=states["in time"] / owed if owed else None,
        median_hours=round(median(hours), 2) if hours else None,
        by_hours=tuple(_classes(hours)),
    )


def _waited(dossier: Dossier) -> float | None:
    at = contact_of(dossier)
    return None if at is None else (at - dossier.closing.closed_at) // timedelta(minutes=1) / 60


def _classes(hours: Sequence[float]) -> Iterator[tuple[str, int]]:
    low = 0.0
    for high in HOURS:
        yield f"{high}", sum(1 for each in hours if low < each <= high or (low == 0 and each <= 0))
        low = high
    yield f"> {HOURS[-1]}", sum(1 for each in hours if each > HOURS[-1])


def in_quiet_time(world: World) -> int:
    """Messages ordered or sent, and talks, inside the quiet hours of the person."""
    return sum(1 for deed in world.deeds if _disturbs(deed) and _is_quiet(world.surveys[deed.key], deed.at))


def _disturbs(deed: Deed) -> bool:
    return deed.what in _OUTGOING or (deed.channel in _IN_PERSON and deed.what in _TALKED)


def _is_quiet(dossier: Dossier, at: datetime) -> bool:
    return dossier.rule.almanac.is_quiet(at, dossier.survey.zone)


def per_person(world: World) -> PerPerson:
    """How often people were asked, in all and within the limit."""
    limit = world.policy.limits.per_person
    all_asked: defaultdict[UUID, int] = defaultdict(int)
    limited: defaultdict[UUID, list[datetime]] = defaultdict(list)
    for dossier in world.surveys.values():
        at = dossier.survey.asked_at
        if at is not None:
            all_asked[dossier.contact.person] += 1
            if dossier.rule.limit is not None:
                limited[dossier.contact.person].append(at)
    most = max((_most_within(limit, sorted(times)) for times in limited.values()), default=0) if limit else 0
    return PerPerson(
        limit=str(limit) if limit else None,
        most=most if limit else max(all_asked.values(), default=0),
        kept=limit is None or most <= limit.most,
        people=tuple(sorted(Counter(all_asked.values()).items())),
    )


def _most_within(limit: Rate, times: Sequence[datetime]) -> int:
    first = most = 0
    for last, at in enumerate(times):
        while at - times[first] >= limit.period:
            first += 1
        most = max(most, last - first + 1)
    return most


def per_day(world: World, start: datetime, end: datetime) -> tuple[Load, ...]:
    """First contacts, messages, calls and visits by days of the company; means are of the time's working days."""
    days: defaultdict[str, Counter[date]] = defaultdict(Counter)
    for deed in world.deeds:
        days[_work(deed)][_day(world, deed.at)] += 1
    for dossier in world.surveys.values():
        if (at := contact_of(dossier)) is not None:
            days["survey"][_day(world, at)] += 1
    first, last = _day(world, start), _day(world, end)
    played = (first + number * timedelta(days=1) for number in range((last - first).days))
    working = sum(1 for day in played if world.almanac.is_working_day(day))
    return tuple(_load(kind, days[kind], working) for kind in ("survey", "message", "call", "visit"))


def _day(world: World, at: datetime) -> date:
    return at.astimezone(world.almanac.zone).date()


def _load(kind: str, days: Counter[date], working: int) -> Load:
    most_on = min(days, key=lambda day: (-days[day], day), default=None)
    return Load(
        kind=kind,
        total=days.total(),
        mean=round(days.total() / working, 2) if working else 0.0,
        most=days[most_on] if most_on else 0,
        most_on=most_on,
        days=tuple(sorted(days.items())),
    )


def reports_due(world: World, start: datetime, end: datetime) -> tuple[DueReport, ...]:
    """The reports on periods that end within the time played."""
    calendar = world.almanac
    found = []
    for name, report in world.policy.reports.items():
        term = term_of(report.every, start.astimezone(calendar.zone).date())
        while datetime.combine(term.end, time(), calendar.zone) <= end:
            last = datetime.combine(term.last, time(), calendar.zone)
            due = calendar.after(last, report.due).astimezone(calendar.zone).date()
            found.append(DueReport(report=name, period=term.key, due=due))
            term = next_term(term)
    return tuple(sorted(found, key=lambda each: (each.due, each.report)))
