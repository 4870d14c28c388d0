"""Every decision and every deed of a trial as one table, so that anybody can count again with his own tools.

A row is a `decision` on one reason to ask one person, a `deed` for one of its surveys, the `end` of a survey, a `plan`,
or a `unit` of the plan whose `ticket` its own begins with.
People appear by numbers.
"""

import csv
from collections.abc import Iterator
from datetime import datetime

from scheduler.allocation import Drawn
from scheduler.closure import Closure, Key
from scheduler.dossier import Dossier
from scheduler.simulation.rounds import Plan
from scheduler.simulation.tally import promise_of
from scheduler.simulation.trial import Play
from scheduler.simulation.world import Deed
from scheduler.wave import ticket_of

COLUMNS = (
    "record", "at", "on", "source", "ticket", "closure", "happened_at", "reopened_at", "person", "customer", "rule",
    "outcome", "reason", "draw", "limited", "zone", "asked_at", "promised_by", "step", "kind", "channel", "what",
    "contacted_at", "draw_from", "approved_at", "ready_by", "opens", "seed", "stratum", "weight", "active",
)  # fmt: skip


class _Line:
    """Takes what `csv` writes."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text = text


def table(play: Play) -> Iterator[str]:
    """The lines of the table, with its header, each with its end."""
    line = _Line()
    writer = csv.DictWriter(line, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    yield line.text
    for row in _rows(play):
        writer.writerow(row)
        yield line.text


def _rows(play: Play) -> Iterator[dict[str, object]]:
    world = play.world
    for key in sorted(world.closures):
        yield _decision(world.closures[key], world.surveys.get(key))
    for deed in world.deeds:
        yield _deed(deed, world.surveys[deed.key])
    for key in sorted(world.surveys):
        yield _end(key, world.surveys[key], world.causes.get(key))
    for plan in play.rounds.plans:
        yield _plan(play, plan)
        yield from (_unit(play, plan, each) for each in (*plan.drawn, *plan.draft.unreachable))


def _plan(play: Play, plan: Plan) -> dict[str, object]:
    return {
        "record": "plan",
        "at": _moment(plan.drawn_at),
        "ticket": f"{play.trial.policy.policy}/{plan.wave.survey}/{plan.wave.term.key}",
        "rule": f"{play.trial.policy.policy}/{plan.wave.survey}",
        "draw_from": _moment(plan.wave.draw_from),
        "approved_at": _moment(plan.approved_at),
        "ready_by": _moment(plan.wave.ready_by),
        "opens": _moment(plan.wave.opens),
        "seed": plan.draft.seed,
    }


def _unit(play: Play, plan: Plan, each: Drawn) -> dict[str, object]:
    return {
        "record": "unit",
        "ticket": ticket_of(play.trial.policy.policy, plan.wave, each.unit),
        "customer": each.unit.customer,
        "rule": f"{play.trial.policy.policy}/{plan.wave.survey}",
        "outcome": "drawn" if each.chosen else "not drawn" if each.unit.people else "unreachable",
        "reason": each.cause or "",
        "draw": repr(each.draw),
        "stratum": " | ".join(each.unit.stratum),
        "weight": "" if each.weight is None else repr(each.weight),
        "active": "yes" if each.unit.customer in plan.draft.active else "",
    }


def _decision(closure: Closure, dossier: Dossier | None) -> dict[str, object]:
    verdict, closing = closure.verdict, closure.closing
    if verdict is None or closing is None:
        raise ValueError(f"{closure.key} is not decided")
    return {
        "record": "decision",
        "at": _moment(verdict.decided_at),
        "on": closing.on,
        **_key(closure.key),
        "happened_at": _moment(closing.closed_at),
        "reopened_at": _moment(closure.reopened_at),
        "person": closing.contact.person.int if closing.contact else "",
        "customer": closing.facts.customer or "",
        "rule": verdict.rule or "",
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "draw": "" if verdict.draw is None else repr(verdict.draw),
        "limited": "yes" if dossier is not None and dossier.rule.limit is not None else "",
        "promised_by": _moment(dossier.survey.promised_by) if dossier is not None else "",
    }


def _deed(deed: Deed, dossier: Dossier) -> dict[str, object]:
    return {
        "record": "deed",
        "at": _moment(deed.at),
        **_key(deed.key),
        **_survey(dossier),
        "step": deed.step,
        "kind": deed.kind,
        "channel": deed.channel,
        "what": deed.what,
    }


def _end(key: Key, dossier: Dossier, cause: str | None) -> dict[str, object]:
    survey = dossier.survey
    return {
        "record": "end",
        "at": _moment(survey.ended_at),
        **_key(key),
        **_survey(dossier),
        "outcome": survey.state,
        "reason": cause or "",
        "asked_at": _moment(survey.asked_at),
        "promised_by": _moment(survey.promised_by),
        "what": promise_of(dossier),
        "contacted_at": _moment(survey.contacted_at),
    }


def _survey(dossier: Dossier) -> dict[str, object]:
    zone = dossier.survey.zone or dossier.rule.almanac.zone
    return {
        "on": dossier.closing.on,
        "person": dossier.contact.person.int,
        "customer": dossier.closing.facts.customer or "",
        "rule": dossier.rule.title,
        "limited": "yes" if dossier.rule.limit is not None else "",
        "zone": str(zone),
    }


def _key(key: Key) -> dict[str, object]:
    return {"source": key.source, "ticket": key.ticket, "closure": key.closure}


def _moment(at: datetime | None) -> str:
    return "" if at is None else at.isoformat()
