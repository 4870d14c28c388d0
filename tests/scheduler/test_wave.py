import os
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.allocation import ALWAYS, Drawn, choose
from scheduler.audience import Customer, Unit, key_of
from scheduler.calendar import almanac
from scheduler.plan import Wave, term_of, wave_of, waves
from scheduler.policy import CALENDAR, Person, rules_of
from scheduler.wave import (
    LONGEST_WAIT,
    REST,
    Result,
    begins,
    decide_turn,
    draw_up,
    is_at_rest,
    is_lost,
    known_since,
    progress_of,
    replace_lost,
    ticket_of,
    to_draw,
    turns,
)
from services.contracts.customers import CustomerContact, CustomerFacts
from services.contracts.policy import Coverage, Policy, Sample
from tests.scheduler.quarter import DRAWN, OPENS, PROMISED, READY, customers, quarter

EXAMPLES = int(os.environ.get("HUIFANG_EXAMPLES", "300"))
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
TODAY = date(2026, 3, 13)
REGISTER = [Customer(each.customer, each.facts, each.contacts) for each in customers()]


def wave(policy: Policy) -> Wave:
    return wave_of(policy, "incident", term_of("quarter", TODAY), almanac(policy.calendar))


def unit(customer: str, project: str | None = None) -> Unit:
    return Unit(key_of(customer, project), customer, project, "-", (), ())


def test_a_draft_has_everybody_whom_the_survey_means_with_his_draw() -> None:
    policy = quarter(ask={"customers": {"tier": ["core"]}})
    refuses = REGISTER[3].contacts
    draft = draw_up(policy, 7, wave(policy), REGISTER, {each.contact.person for each in refuses}, TODAY)
    assert [each.unit.key for each in draft.drawn] == [f"C-{number:02}" for number in (0, 1, 2, 4, 5, 6, 7, 8, 9)]
    assert [each.unit.key for each in draft.unreachable] == ["C-03"]
    assert (draft.seed, draft.coverage, draft.active) == ("test/7/incident/2026-Q1", None, frozenset())
    assert {layer.name: layer.size for layer in draft.layers.values()} == {"core": 9}


def test_who_is_asked_in_any_case_has_no_layer() -> None:
    policy = quarter({"sample": {"size": "10%", "always": {"customer": ["C-05", "C-06"]}}})
    draft = draw_up(policy, 1, wave(policy), REGISTER, set(), TODAY)
    certain = [each for each in draft.drawn if each.cause == "always"]
    assert [(each.unit.customer, each.stratum) for each in certain] == [("C-05", ALWAYS), ("C-06", ALWAYS)]
    assert {layer.name for layer in draft.layers.values()} == {"all"}
    assert not draft.layers.keys() & {"C-05", "C-06"}


def test_a_stratum_that_was_filled_up_for_the_coverage_is_two_layers() -> None:
    policy = quarter({"sample": {"size": "10%"}, "coverage": {"share": "50%", "active_within": "6 months"}})
    draft = draw_up(policy, 1, wave(policy), REGISTER, set(), TODAY)
    assert draft.coverage is not None
    assert (draft.coverage.required, draft.coverage.counted, draft.coverage.total) == (20, 20, 40)
    assert {tuple(layer) for layer in draft.layers.values()} == {("all (active)", 40), ("all (others)", 20)}
    for each in draft.drawn:
        if each.chosen:
            layer = draft.layers[each.unit.key]
            asked = sum(other.chosen for other in draft.drawn if draft.layers[other.unit.key] == layer)
            assert each.weight == pytest.approx(layer.size / asked)


def test_organisations_are_layers_of_their_own() -> None:
    register = [
        each._replace(facts=CustomerFacts(served_by="Park A" if number % 2 else "Park B"))
        for number, each in enumerate(REGISTER)
    ]
    policy = quarter({"sample": {"size": "10 + 5%", "organisations": {"share": "100%"}}})
    draft = draw_up(policy, 1, wave(policy), register, set(), TODAY)
    assert {tuple(layer) for layer in draft.layers.values()} == {("Park A", 30), ("Park B", 30)}
    assert sum(each.chosen for each in draft.drawn) == 2 * 12


def test_only_surveys_by_the_calendar_are_drawn() -> None:
    policy = quarter(on="ticket closed", every=None, ask="requester")
    with pytest.raises(ValueError, match="by the calendar"):
        draw_up(policy, 1, Wave("incident", term_of("quarter", TODAY), OPENS, DRAWN, READY), REGISTER, set(), TODAY)


def test_a_survey_is_known_since_the_first_of_the_versions_that_turn_alike() -> None:
    moments = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4)]
    yearly, plain = quarter(every="year"), quarter()
    ticket = quarter(on="ticket closed", every=None, ask="requester")
    assert known_since(list(zip(moments, (plain, yearly, plain, plain), strict=True)), "incident") == moments[2]
    assert known_since(list(zip(moments, (plain,) * 4, strict=True)), "incident") == moments[0]
    assert known_since([(moments[0], ticket)], "incident") is None
    assert known_since([(moments[0], plain)], "another") is None


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    now=st.integers(0, 2 * 365 * 1440).map(lambda minute: datetime(2026, 1, 1, tzinfo=UTC) + minute * MINUTE),
    every=st.sampled_from(["week, on monday", "month", "quarter, from 10 days before its end", "year"]),
    within=st.sampled_from(["2d", "5 working days", "40 working days", "3 months"]),
    ready=st.sampled_from([None, "7-10 days before", "10-60 working days before"]),
)
def test_no_wave_whose_promise_can_be_kept_is_overlooked(
    now: datetime, every: str, within: str, ready: str | None
) -> None:
    policy = quarter({"ready": ready}, every=every, send={"within": within}, expires="1 years")
    calendar, since = almanac(policy.calendar), datetime(2024, 1, 1, tzinfo=UTC)
    within_span = policy.surveys["incident"].send.within
    everything = waves(policy, "incident", calendar, since, now + timedelta.resolution)
    expected = [each for each in everything if calendar.after(each.opens, within_span) > now]
    assert list(to_draw(policy, "incident", calendar, since, now)) == expected


def test_send_counts_from_the_opening_or_a_later_approval() -> None:
    plan = wave(quarter())
    assert begins(plan, None) == begins(plan, READY) == plan.opens == OPENS
    assert begins(plan, PROMISED) == PROMISED


def test_a_register_is_at_rest_two_hours_after_its_last_change_and_waited_for_a_day_at_most() -> None:
    plan, long_ago = wave(quarter()), DRAWN - 100 * LONGEST_WAIT
    assert not is_at_rest(plan, long_ago, DRAWN, DRAWN + REST - HOUR)
    assert is_at_rest(plan, long_ago, DRAWN, DRAWN + REST)
    assert is_at_rest(plan, long_ago, DRAWN + LONGEST_WAIT, DRAWN + LONGEST_WAIT)
    assert not is_at_rest(plan, OPENS, OPENS + HOUR, OPENS + HOUR)


words = st.text(st.sampled_from("ab/%2F"), min_size=1, max_size=5)


@given(one=st.tuples(words, words), other=st.tuples(words, words))
def test_no_two_units_share_a_key_of_the_ledger(one: tuple[str, str], other: tuple[str, str]) -> None:
    plan = wave(quarter())
    keys = [ticket_of("test", plan, unit(*each)) for each in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)
    assert ticket_of("test", plan, unit("C/1")) == "test/incident/2026-Q1/C%2F1"


def test_turns_are_addressed_to_the_people_as_the_register_has_them_now() -> None:
    first, second = (each.contact.person for each in REGISTER[0].contacts)
    asked = unit("C-00")._replace(people=(first, second))
    moved = REGISTER[0]._replace(contacts=REGISTER[0].contacts[:1])
    one, two = turns("test", wave(quarter()), asked, moved, None, "seed", OPENS)
    assert (one.source, one.ticket, one.closure, one.on) == ("plan", "test/incident/2026-Q1/C-00", 1, CALENDAR)
    assert one.contact is not None
    assert (one.contact.person, one.contact.channels, one.closed_at) == (first, ("email", "call"), OPENS)
    assert (one.facts.type, one.facts.customer, one.facts.region) == ("survey", "C-00", "north")
    assert (two.closure, two.contact) == (2, None)
    gone = turns("test", wave(quarter()), asked, None, 1, "seed", OPENS)
    assert [each.contact for each in gone] == [None]


def test_a_visit_needs_nothing_but_consent() -> None:
    known = REGISTER[0].contacts[0]
    visited = CustomerContact(contact=known.contact, roles=known.roles, consent=("visit",))
    asked = unit("C-00")._replace(people=(known.contact.person,))
    (turn,) = turns("test", wave(quarter()), asked, REGISTER[0]._replace(contacts=(visited,)), None, "seed", OPENS)
    assert turn.contact is not None
    assert turn.contact.channels == ("visit",)


def test_nobody_is_drawn_into_a_promise_that_cannot_be_kept() -> None:
    """An hour before the deadline, which ends a night."""
    night = {"timezone": "Asia/Shanghai", "holidays": "CN", "hours": "09:00-18:00", "quiet": "21:00-09:01"}
    for late, outcome in (("skip", ("skip", "too_late")), ("ask", ("survey", "matched"))):
        (rule,) = rules_of("test", 1, quarter(calendar=night, late=late).document())
        asked = unit("C-00")._replace(people=(REGISTER[0].contacts[0].contact.person,))
        (turn,) = turns("test", wave(quarter()), asked, REGISTER[0], None, "seed", OPENS)
        decision = decide_turn(rule, turn, Person(), PROMISED - HOUR)
        assert (decision.outcome, decision.reason) == outcome
        assert decide_turn(rule, turn, Person(), OPENS).outcome == "survey"


SKIPPED, RUNNING = Result("skip"), Result("survey", "sent", True)
FAILED, REFUSED_AFTERWARDS = Result("survey", "unreachable"), Result("survey", "declined", True)


@pytest.mark.parametrize(
    ("results", "lost"),
    [
        ([], False),
        ([SKIPPED], True),
        ([SKIPPED, FAILED], True),
        ([SKIPPED, Result("survey", "planned")], False),
        ([FAILED, RUNNING], False),
        ([REFUSED_AFTERWARDS], False),
        ([Result("survey", "answered")], False),
        ([Result("survey", "cancelled"), Result("survey", "declined")], True),
    ],
)
def test_a_unit_is_lost_when_nobody_of_it_was_or_can_be_reached(results: list[Result], lost: bool) -> None:
    assert is_lost(results) == lost


def test_how_far_a_unit_has_come() -> None:
    asked = (True, True, True, False)
    assert progress_of(False, False, False, False, ()) == "unreachable"
    assert progress_of(True, False, False, False, ()) == "not chosen"
    assert progress_of(True, True, False, False, ()) == "to ask"
    assert progress_of(*asked, [SKIPPED, Result("survey", "planned")]) == "asked"
    assert progress_of(*asked, [SKIPPED, RUNNING]) == "reached"
    assert progress_of(*asked, [Result("survey", "answered", True), RUNNING]) == "answered"
    assert progress_of(True, True, True, True, [SKIPPED]) == "lost"
    assert progress_of(True, True, True, True, [Result("survey", "answered", True)]) == "answered"


def frame_of(register: list[tuple[str, bool]]) -> list[Unit]:
    return [Unit(f"{n:02}", f"{n:02}", None, "-", (tier,), (UUID(int=n),)) for n, (tier, _) in enumerate(register)]


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    register=st.lists(st.tuples(st.sampled_from(["core", "ordinary"]), st.booleans()), min_size=1, max_size=40),
    size=st.sampled_from(["20%", "50%", "all"]), covered=st.booleans(), data=st.data(),
)  # fmt: skip
def test_lost_units_are_replaced_until_nobody_is_left_and_their_weight_goes_on(
    register: list[tuple[str, bool]], size: str, covered: bool, data: Any
) -> None:
    sample = Sample.model_validate({"size": size, "strata": ["tier"]})
    coverage = Coverage.model_validate({"share": "30%", "active_within": "1 year"}) if covered else None
    active = frozenset(f"{number:02}" for number, (_, is_active) in enumerate(register) if is_active)
    drawn: tuple[Drawn, ...] = choose(sample, frame_of(register), "seed")
    gone: set[str] = set()
    for _ in range(3):
        asked = sorted(each.unit.key for each in drawn if each.chosen and each.unit.key not in gone)
        lost = data.draw(st.sets(st.sampled_from(asked))) if asked else set()
        relief = replace_lost(sample, coverage, drawn, active, lost, gone)
        before, after = ({each.unit.key: each for each in plan} for plan in (drawn, relief.drawn))
        assert relief.instead.keys() <= lost
        assert all(not before[key].chosen and after[key].cause == "replacement" for key in relief.instead.values())
        for key in lost - relief.instead.keys():
            waiting = [each for each in after.values() if not each.chosen and each.stratum == before[key].stratum]
            assert waiting == []
        if coverage is None:
            for key, instead in relief.instead.items():
                assert (after[key].weight, after[instead].weight) == (None, before[key].weight)
        drawn, gone = relief.drawn, gone | lost
    for tier in ("core", "ordinary"):
        members = [each for each in drawn if each.unit.stratum == (tier,)]
        if coverage is None and any(each.chosen for each in members):
            assert sum(each.weight or 0 for each in members) == pytest.approx(len(members))
