from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from scheduler.calendar import zone_of
from scheduler.dossier import Dossier
from scheduler.policy import Closing, PlannedStep, schedule
from scheduler.simulation.conduct import Conduct, Reply, answer, replies
from scheduler.survey import planned
from services.contracts.questionnaire import Questionnaire
from services.contracts.tickets import TicketFacts
from tests.scheduler.desk import person
from tests.scheduler.rules import OVERALL, WORDS, rule

RULE = rule()
MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
ASKED = Questionnaire.model_validate(
    {
        "title": WORDS,
        "purpose": WORDS,
        "items": [
            OVERALL,
            {"id": "speed", "scale": "quality5", "text": WORDS},
            {"id": "why", "kind": "text", "text": WORDS},
        ],
    }
)


def dossier(ticket: str = "IT-1", zone: str = "Asia/Shanghai") -> Dossier:
    closing = Closing("jira", ticket, 1, MONDAY, TicketFacts(), person(1, timezone=zone))
    assert closing.contact is not None
    plan = schedule(RULE, closing, MONDAY)
    survey = planned(RULE, plan, UUID(int=1), closing.contact.channels, zone_of(zone), MONDAY)
    return Dossier(survey=survey, closing=closing, contact=closing.contact, rule=RULE)


def step(kind: str) -> PlannedStep:
    return {"message": PlannedStep(0, "first", "sms"), "call": PlannedStep(3, "call", "call")}.get(
        kind, PlannedStep(3, "visit", "visit")
    )


@given(
    st.sampled_from(("message", "call", "visit")),
    st.sampled_from(ZONES),
    st.integers(0, 10_000),
    st.integers(0, 14 * 24 * 60),
)
def test_nobody_is_disturbed_in_quiet_time_and_what_comes_of_a_step_comes_after_it(
    kind: str, zone: str, ticket: int, minutes: int
) -> None:
    about = dossier(f"IT-{ticket}", zone)
    now = RULE.almanac.allowed_from(MONDAY + timedelta(minutes=minutes), zone_of(zone))
    for reply in replies(Conduct(refuses=0.5), about, step(kind), now):
        assert reply.at >= now
        if reply.outcome in ("accepted", "delivered", "refused"):
            assert not RULE.almanac.is_quiet(reply.at, zone_of(zone))


def test_the_same_step_has_the_same_luck_and_other_tickets_their_own() -> None:
    def outcomes(seed: str, ticket: str) -> list[Reply]:
        return list(replies(Conduct(seed=seed), dossier(ticket), step("call"), MONDAY))

    assert outcomes("1", "IT-1") == outcomes("1", "IT-1")
    assert len({str(outcomes("1", f"IT-{number}")) for number in range(20)}) > 10
    assert len({str(outcomes(str(seed), "IT-1")) for seed in range(20)}) > 10


def test_the_rates_are_kept_in_the_long_run() -> None:
    conduct = Conduct(answers=0.3, talks=0.7, refuses=0.5, fails=0.1)
    messages = [
        [each.outcome for each in replies(conduct, dossier(f"IT-{n}"), step("message"), MONDAY)] for n in range(2000)
    ]
    calls = [[each.outcome for each in replies(conduct, dossier(f"IT-{n}"), step("call"), MONDAY)] for n in range(2000)]
    assert 0.08 < sum("failed" in each for each in messages) / 2000 < 0.12
    assert 0.24 < sum("answered" in each for each in messages) / 2000 < 0.30
    assert 0.67 < sum("answered" in each for each in calls) / 2000 < 0.73
    assert 0.12 < sum("refused" in each for each in calls) / 2000 < 0.18
    assert all(each[0] == "listed" for each in calls)


def test_an_answer_is_good_or_bad_as_a_whole() -> None:
    bad = answer(Conduct(dissatisfied=1), ASKED, dossier(), MONDAY)
    good = answer(Conduct(dissatisfied=0), ASKED, dossier(), MONDAY)
    assert (bad.satisfied, good.satisfied) == (False, True)
    assert bad.values["overall"] < 4 <= good.values["overall"]
    assert good.values["speed"] >= 6
    assert set(good.values) == {"overall", "speed"}
    assert good.score is not None
    assert bad.score is not None
    assert bad.score < good.score <= 100
