from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.revision import (
    STATES,
    Entry,
    Refusal,
    Revision,
    State,
    Step,
    advance,
    first_moment,
    installed,
    is_repeated,
    same_person,
)
from services.contracts.policy import Policy
from tests.scheduler.rules import policy

MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)
DAY = timedelta(days=1)
STEPS: tuple[Step, ...] = ("reviewed", "approved", "rejected", "withdrawn")
PEOPLE = ("anna", "bo", "chen", "dai")


def entry(step: State, actor: str, at: datetime = MONDAY) -> Entry:
    return Entry(step, at, actor, "because", "rest")


def proposal(effective_from: datetime = MONDAY + DAY) -> Revision:
    return Revision("test", 2, "proposed", effective_from, (entry("proposed", "anna"),))


def walk(*steps: tuple[Step, str]) -> Revision:
    revision = proposal()
    for step, actor in steps:
        revision = advance(revision, entry(step, actor))
    return revision


def test_three_people_put_a_version_in_force() -> None:
    approved = walk(("reviewed", "bo"), ("approved", "chen"))
    assert approved.state == "approved"
    assert [(each.step, each.actor) for each in approved.history] == [
        ("proposed", "anna"),
        ("reviewed", "bo"),
        ("approved", "chen"),
    ]


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(PEOPLE)), max_size=8))
def test_whatever_is_tried_no_version_is_approved_by_fewer_than_three(wishes: list[tuple[Step, str]]) -> None:
    revision = proposal()
    for step, actor in wishes:
        before = revision
        try:
            revision = advance(revision, entry(step, actor))
        except Refusal:
            continue
        assert before.state in ("proposed", "reviewed")  # what is over stays as it is
        assert revision.history[:-1] == before.history
        assert revision.tag != before.tag
    if revision.state == "approved":
        assert [each.step for each in revision.history] == ["proposed", "reviewed", "approved"]
        assert len({each.actor for each in revision.history}) == 3


@pytest.mark.parametrize("actor", ["anna", " ANNA "])
@pytest.mark.parametrize("step", ["reviewed", "rejected"])
def test_nobody_judges_his_own_proposal(step: Step, actor: str) -> None:
    with pytest.raises(Refusal) as caught:
        advance(proposal(), entry(step, actor))
    assert caught.value.kind == "own-change"


@pytest.mark.parametrize("actor", ["anna", "bo", "Bo"])
def test_neither_proposer_nor_reviewer_approves(actor: str) -> None:
    with pytest.raises(Refusal) as caught:
        walk(("reviewed", "bo"), ("approved", actor))
    assert caught.value.kind == "own-change"


def test_a_reviewer_may_think_better_of_it() -> None:
    assert walk(("reviewed", "bo"), ("rejected", "bo")).state == "rejected"


def test_only_the_proposer_withdraws() -> None:
    assert walk(("reviewed", "bo"), ("withdrawn", "Anna")).state == "withdrawn"
    with pytest.raises(Refusal) as caught:
        walk(("withdrawn", "bo"))
    assert caught.value.kind == "own-change"


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("step", STEPS)
def test_a_step_needs_the_state_before_it(step: Step, state: State) -> None:
    allowed = {
        "reviewed": {"proposed"},
        "approved": {"reviewed"},
        "rejected": {"proposed", "reviewed"},
        "withdrawn": {"proposed", "reviewed"},
    }
    revision, wish = proposal()._replace(state=state), entry(step, "anna" if step == "withdrawn" else "dai")
    if state in allowed[step]:
        assert advance(revision, wish).state == step
    else:
        with pytest.raises(Refusal) as caught:
            advance(revision, wish)
        assert caught.value.kind == "wrong-state"


@given(st.timedeltas(min_value=timedelta(days=-400), max_value=timedelta(days=400)))
def test_no_version_takes_effect_before_it_is_approved(ahead: timedelta) -> None:
    reviewed = advance(proposal(MONDAY + ahead), entry("reviewed", "bo", MONDAY - DAY))
    assert reviewed.effective_from == MONDAY + ahead
    assert advance(reviewed, entry("approved", "chen")).effective_from == max(MONDAY, MONDAY + ahead)


def test_the_same_step_by_the_same_person_is_a_repetition() -> None:
    reviewed = walk(("reviewed", "bo"))
    assert is_repeated(reviewed, "reviewed", "BO")
    assert not is_repeated(reviewed, "reviewed", "chen")
    assert not is_repeated(reviewed, "approved", "bo")
    assert not is_repeated(reviewed._replace(history=()), "reviewed", "bo")


def test_names_are_compared_as_people_write_them() -> None:
    assert same_person("Anna", " anna")
    assert not same_person("anna", "hanna")


def test_a_file_of_the_installation_is_approved_by_its_own_words() -> None:
    assert [(each.step, each.actor, each.at, each.cause) for each in installed(policy(), MONDAY)] == [
        ("proposed", "a", MONDAY, "installed"),
        ("reviewed", "b", MONDAY, "installed"),
        ("approved", "c", MONDAY, "installed"),
    ]


@pytest.mark.parametrize(
    ("effective", "zone", "moment"),
    [
        ("2026-04-01", "Asia/Shanghai", datetime(2026, 3, 31, 16, tzinfo=UTC)),
        ("2026-04-01", "Europe/Berlin", datetime(2026, 3, 31, 22, tzinfo=UTC)),
        ("0001-01-01", "Asia/Shanghai", datetime(1969, 12, 31, 16, tzinfo=UTC)),
        ("9999-12-31", "America/New_York", datetime(2999, 12, 31, 5, tzinfo=UTC)),
    ],
)
def test_a_policy_begins_at_midnight_in_its_own_zone(effective: str, zone: str, moment: datetime) -> None:
    whole = policy({"timezone": zone}).model_dump(mode="json", by_alias=True, exclude_none=True)
    dated = Policy.model_validate({**whole, "approval": {**whole["approval"], "effective": effective}})
    assert first_moment(dated) == moment
