"""A trial's outcome as text for a terminal."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from scheduler.simulation.outcome import Outcome
from scheduler.simulation.plan_tally import PlanFigures, Share

_MOST_REPORTS = 6


def lines(outcome: Outcome) -> Iterator[str]:
    """The outcome, a chapter for each subject; the last lines are the remarks."""
    span = f"from {outcome.start:%Y-%m-%d} until before {outcome.end:%Y-%m-%d} ({outcome.start.tzinfo})"
    yield f"policy {outcome.policy}, {span}"
    yield f"{outcome.tickets} tickets, {outcome.occasions} other occasions, {outcome.customers} customers"
    yield from _chapter("decisions", ("on", "outcome", "reason", "count"), _decisions(outcome))
    yield from _chapter("surveys", _SURVEYS, _surveys(outcome))
    yield from _chapter("promises", (), _promises(outcome))
    yield from _chapter("work by days", ("kind", "in all", "a working day", "most", "on"), _days(outcome))
    yield from _chapter("plans", _PLANS, (_plan(each) for each in outcome.plans))
    yield from _chapter("guarantees", ("survey", "period", "followed up"), _guarantees(outcome))
    yield from _chapter("grades", (), ((grade, str(count)) for grade, count in outcome.grades.items()))
    yield from _chapter("reports due", ("report", "period", "due"), _reports(outcome))
    yield from _remarks(outcome)


_SURVEYS = (
    "survey", "surveys", "in time", "late", "answered", "declined", "expired", "unreachable", "cancelled", "messages",
    "calls", "visits",
)  # fmt: skip
_PLANS = (
    "survey", "period", "ready", "approved", "by", "opens", "meant", "drawn", "people", "lost", "covers", "reached"
)  # fmt: skip


def _decisions(outcome: Outcome) -> Iterator[Sequence[str]]:
    for each in outcome.decisions:
        yield each.on, each.outcome, each.reason, str(each.count)


def _surveys(outcome: Outcome) -> Iterator[Sequence[str]]:
    for each in outcome.surveys:
        ends = (each.answered, each.declined, each.expired, each.unreachable, each.cancelled)
        work = (each.messages, each.calls, each.visits)
        yield each.name, *(str(number) for number in (each.surveys, each.in_time, each.late, *ends, *work))


def _promises(outcome: Outcome) -> Iterator[Sequence[str]]:
    contact, person = outcome.first_contact, outcome.per_person
    share = (
        "none was owed" if contact.share is None else f"{_percent(contact.share)} ({contact.in_time} of {contact.owed})"
    )
    yield "first contact within the promise", share
    if contact.median_hours is not None:
        yield "first contact after the closing or opening, median", f"{contact.median_hours:g} h"
    yield "messages and talks in quiet time", str(outcome.in_quiet_time)
    yield "surveys of one person at most", f"{person.most} (limit: {person.limit or 'none'})"
    yield "surveys that follow from an answer", str(outcome.again)


def _days(outcome: Outcome) -> Iterator[Sequence[str]]:
    names = {"survey": "first contacts", "message": "messages", "call": "calls", "visit": "visits"}
    for each in outcome.days:
        yield names[each.kind], str(each.total), f"{each.mean:g}", str(each.most), str(each.most_on or "")


def _plan(plan: PlanFigures) -> Sequence[str]:
    moments = (_day(plan.approved_at), _day(plan.ready_by), _day(plan.opens))
    counts = (str(number) for number in (plan.population, plan.drawn, plan.people, plan.lost))
    return (
        plan.survey,
        plan.term,
        "yes" if plan.ready else "NO",
        *moments,
        *counts,
        _share(plan.covers),
        _share(plan.reached),
    )


def _guarantees(outcome: Outcome) -> Iterator[Sequence[str]]:
    for each in outcome.guarantees:
        yield each.survey, each.term, _share(each.followed_up)


def _reports(outcome: Outcome) -> Iterator[Sequence[str]]:
    for each in outcome.reports[:_MOST_REPORTS]:
        yield each.report, each.period, str(each.due)
    if len(outcome.reports) > _MOST_REPORTS:
        yield f"and {len(outcome.reports) - _MOST_REPORTS} more", "", ""


def _remarks(outcome: Outcome) -> Iterator[str]:
    if outcome.remarks:
        yield ""
    for each in outcome.remarks:
        yield f"{'!' if each.kind == 'warning' else '-'} {each.en}"


def _share(share: Share | None) -> str:
    if share is None:
        return ""
    reached = share.counted / share.total if share.total else 1.0
    return f"{share.counted} of {share.total}, {_percent(reached)}" + ("" if share.met else f", needs {share.required}")


def _percent(share: float) -> str:
    return f"{100 * share:.6g} %"


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


def _chapter(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table below its title; nothing where there are no rows."""
    cells = [[*header], *([*row] for row in rows)] if header else [[*row] for row in rows]
    if (len(cells) < 2 and header) or not cells:
        return
    widths = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))]
    yield ""
    yield title
    for row in cells:
        yield "  " + "  ".join(_aligned(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _aligned(cell: str, width: int) -> str:
    return cell.rjust(width) if cell.replace(".", "", 1).isdigit() else cell.ljust(width)
