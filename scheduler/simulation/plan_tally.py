"""What the plans and guarantees of a trial come to, in figures."""

from datetime import datetime

import msgspec

from scheduler.allocation import Proof
from scheduler.simulation.rounds import Plan, Rounds
from scheduler.wave import is_lost


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A condition as a count: at least `required` of `total` are needed, and there are `counted`."""

    required: int
    counted: int
    total: int
    met: bool


class PlanFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A plan: when it stood, whom it drew, and the share of active customers that it covers and in the end reached.

    `population` are the units meant, `unreachable` those of them of whom nobody can be reached, `drawn` those chosen.
    """

    survey: str
    term: str
    draw_from: datetime
    ready_by: datetime
    drawn_at: datetime
    approved_at: datetime
    opens: datetime
    ready: bool
    population: int
    unreachable: int
    drawn: int
    strata: int
    people: int
    lost: int
    replaced: int
    covers: Share | None
    reached: Share | None


class GuaranteeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A guarantee at the end of a period."""

    survey: str
    term: str
    followed_up: Share


def plans(rounds: Rounds) -> tuple[PlanFigures, ...]:
    """Every plan, in the order in which they were drawn up."""
    return tuple(_plan(rounds, plan) for plan in rounds.plans)


def _plan(rounds: Rounds, plan: Plan) -> PlanFigures:
    results, zone = list(rounds.results(plan)), rounds.world.almanac.zone
    return PlanFigures(
        survey=plan.wave.survey,
        term=plan.wave.term.key,
        draw_from=plan.wave.draw_from.astimezone(zone),
        ready_by=plan.wave.ready_by.astimezone(zone),
        drawn_at=plan.drawn_at.astimezone(zone),
        approved_at=plan.approved_at.astimezone(zone),
        opens=plan.wave.opens.astimezone(zone),
        ready=plan.standing == "ready",
        population=len(plan.drawn) + len(plan.draft.unreachable),
        unreachable=len(plan.draft.unreachable),
        drawn=sum(each.chosen for each in plan.draft.drawn),
        strata=len({each.unit.stratum for each in plan.drawn}),
        people=sum(1 for _, every in results for each in every if each.outcome == "survey"),
        lost=sum(1 for _, every in results if is_lost(every)),
        replaced=sum(1 for each in plan.drawn if each.cause == "replacement"),
        covers=_share(plan.draft.coverage),
        reached=_share(rounds.reached(plan)),
    )


def guarantees(rounds: Rounds) -> tuple[GuaranteeFigures, ...]:
    """Every guarantee of every period that ended within the time."""
    shares = ((kept, _share(kept.proof)) for kept in rounds.guarantees())
    return tuple(
        GuaranteeFigures(survey=kept.rule, term=kept.term, followed_up=share)
        for kept, share in shares
        if share is not None
    )


def _share(proof: Proof | None) -> Share | None:
    return None if proof is None else Share(**proof._asdict(), met=proof.met)
