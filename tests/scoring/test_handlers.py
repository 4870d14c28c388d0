import random
from datetime import timedelta
from itertools import permutations

import pytest
from prometheus_client import REGISTRY

from scoring.handlers import HANDLERS, forget_origins, keep_policies, measure_satisfaction, say_answers_again
from services.contracts.responses import ResponseCorrected, ResponseGiven
from services.contracts.surveys import PolicyApproved, SurveyEnded
from services.contracts.topics import heard_by
from services.database import Record
from services.house import House
from services.seal import token_hash
from tests.scoring.questionnaires import policy
from tests.scoring.stage import Stage, approved

ANSWERS: dict[str, str | list[str]] = {"overall": "5", "speed": "4", "attitude": "5", "skill": "9", "comment": "fine"}


def test_the_room_hears_what_the_wires_bring() -> None:
    heard = {event for events in heard_by("scoring").values() for event in events}
    assert heard <= HANDLERS.keys()


async def test_a_page_is_kept_by_the_hash_of_its_token(stage: Stage) -> None:
    survey = await stage.open()
    token = stage.house.seal.link_token("survey", survey)
    (page,) = await stage.rows("page")
    assert page["token_hash"] == token_hash(token)
    assert token not in repr(dict(page))


async def test_any_order_and_any_repetition_of_events_ends_the_same(stage: Stage, house: House) -> None:
    first = stage.due(open_for=timedelta(days=3))
    stage.clock.advance(timedelta(days=1))
    reminder = stage.due(survey=first.survey, step=1, kind="reminder", open_for=timedelta(days=2))
    ended = SurveyEnded(survey=first.survey, state="cancelled", cause="reopened", ended_at=stage.clock.now())
    declined = SurveyEnded(survey=first.survey, state="declined", cause="link", ended_at=first.due_at)
    events = [first, reminder, ended, declined, approved(policy(), 2)]
    dice = random.Random(7)
    found = set()
    for order in list(permutations(events))[::7]:
        async with house.database.transaction("scoring") as transaction:
            await transaction.execute("truncate scoring.page, scoring.survey_end cascade")
        for event in [*order, *dice.choices(events, k=3)]:
            await stage.hear(event)
        await stage.hear(*dice.sample(events, k=5), *events)
        rows = [*await stage.rows("page"), *await stage.rows("survey_end")]
        found.add(tuple(repr([value for name, value in row.items() if name != "xmin"]) for row in rows))
    ((page, end),) = found
    assert repr(first.due_at) in page
    assert repr(first.expires_at) in page
    assert "cancelled" in end


async def test_hearing_again_writes_nothing(stage: Stage) -> None:
    due = stage.due()
    ended = SurveyEnded(survey=due.survey, state="expired", cause="time", ended_at=stage.clock.now())
    events = (approved(policy()), due, ended)

    async def everything() -> list[Record]:
        return [row for table in ("policy", "page", "survey_end") for row in await stage.rows(table)]

    await stage.hear(*events)
    before = await everything()
    await stage.hear(*events)
    assert await everything() == before


async def test_a_policy_that_cannot_be_read_is_put_aside(house: House) -> None:
    event = PolicyApproved(policy="odd", version=1, effective_from=house.clock.now(), document='{"policy": "odd"}')
    async with house.database.transaction("scoring") as transaction:
        await keep_policies(house, transaction, [event, approved(policy())])
        assert [(each.event, each.reason) for each in transaction.aside] == [(event, "invalid_policy")]
        assert await transaction.fetchval("select count(*) from scoring.policy") == 1


async def test_an_answer_is_said_with_its_score_and_without_a_word(stage: Stage) -> None:
    survey = await stage.open(customer="ACME", agent="li")
    await stage.send(survey, {**ANSWERS, "solved": "yes", "topics": ["price"], "price": "my secret"})
    (given,) = await stage.said()
    assert type(given) is ResponseGiven
    assert (given.survey, given.version, given.channel) == (survey, 1, "self")
    assert (given.policy, given.policy_version, given.questionnaire, given.name) == ("test", 1, "incident", "incident")
    assert given.values["overall"] == 5
    assert given.values["topics.price"] == 1
    assert given.score == pytest.approx(100 * (1 + 0.8 + 1 + 0.9) / 4)
    assert given.satisfied is True
    assert given.commented is True
    assert (given.source, given.ticket, given.closure) == ("jira", "OPS-1", 1)
    assert (given.facts.customer, given.facts.agent) == ("ACME", "li")
    async with stage.house.database.reading() as transaction:
        (row,) = await transaction.fetch("select value from scoring.outbox")
    assert b"secret" not in row["value"]


async def test_answers_without_an_echo_are_said_again_until_there_is_one(stage: Stage, house: House) -> None:
    heard, unheard = await stage.open(), await stage.open()
    for survey in (heard, unheard):
        await stage.send(survey, ANSWERS)
    await stage.send(unheard, {**ANSWERS, "overall": "1", "reason": "slow"})
    await stage.end(heard, "answered")
    said = list(await stage.said())

    async def sweep(patience: timedelta) -> int:
        async with house.database.transaction("scoring") as transaction:
            return await say_answers_again(house, transaction, patience)

    assert await sweep(timedelta(minutes=5)) == 0
    assert await sweep(timedelta(0)) == 1
    again = (await stage.said())[len(said) :]
    assert list(again) == [each for each in said if each.survey == unheard]
    assert [type(each) for each in again] == [ResponseGiven, ResponseCorrected]
    await stage.end(unheard, "answered")
    assert await sweep(timedelta(0)) == 0


async def test_an_echo_that_came_before_the_answer_counts(stage: Stage, house: House) -> None:
    survey = await stage.open()
    await stage.send(survey, ANSWERS)
    await stage.end(survey, "answered")
    async with house.database.transaction("scoring") as transaction:
        await transaction.execute("update scoring.response set echoed = false")
        assert await say_answers_again(house, transaction, timedelta(0)) == 0


async def test_the_satisfied_share_is_measured_over_the_last_month(stage: Stage, house: House) -> None:
    async def measured() -> float | None:
        async with house.database.transaction("scoring") as transaction:
            assert await measure_satisfaction(house, transaction) == 0
        return REGISTRY.get_sample_value("huifang_satisfaction_ratio", {"survey": "incident"})

    full = {**ANSWERS, "quality": "10", "worth": "8", "friend": "9", "effort": "7", "solved": "yes", "channel": "mail"}
    for overall in ("5", "4", "3"):
        await stage.send(await stage.open(), {**full, "topics": ["speed"], "overall": overall})
    assert await measured() == pytest.approx(2 / 3)
    stage.clock.advance(timedelta(days=29, hours=23))
    await stage.send(await stage.open(), {**full, "topics": ["speed"], "overall": "3"})
    assert await measured() == pytest.approx(2 / 4)
    stage.clock.advance(timedelta(days=20))
    assert await measured() == 0


async def test_where_answers_came_from_is_forgotten(stage: Stage, house: House) -> None:
    await stage.send(await stage.open(), ANSWERS)
    async with house.database.transaction("scoring") as transaction:
        await transaction.execute("update scoring.response_version set origin = 'somewhere'")
    for days, kept in ((6, 1), (2, 0)):
        stage.clock.advance(timedelta(days=days))
        async with house.database.transaction("scoring") as transaction:
            await forget_origins(house, transaction)
        assert sum(row["origin"] is not None for row in await stage.rows("response_version")) == kept
