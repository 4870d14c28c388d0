from datetime import timedelta
from itertools import permutations

from services.contracts.deliveries import DeliveryReported
from tests.notifier.stage import Stage, approved


async def test_a_step_is_planned_once(stage: Stage) -> None:
    due = await stage.due()
    await stage.hear(due, due)
    await stage.hear(due)
    delivery = await stage.delivery()
    assert (delivery["state"], delivery["survey"], delivery["step"]) == ("planned", due.survey, 0)
    assert await stage.said() == []


async def test_what_was_heard_before_is_answered_with_its_outcome(stage: Stage) -> None:
    due = await stage.due()
    await stage.hear(due)
    await stage.send()
    [first] = await stage.said()
    stage.clock.advance(timedelta(hours=1))
    await stage.hear(due)
    assert await stage.said() == [first]
    assert isinstance(first, DeliveryReported)
    assert (first.survey, first.step, first.channel, first.provider) == (due.survey, 0, "email", "smtp")


async def test_steps_and_channels_are_deliveries_of_their_own(stage: Stage) -> None:
    due = await stage.due()
    again = await stage.due("sms", survey=due.survey)
    reminder = await stage.due(survey=due.survey, step=1, kind="reminder")
    await stage.hear(due, again, reminder)
    assert len(await stage.deliveries(survey=due.survey)) == 3


async def test_a_call_is_listed_and_said_so_each_time(stage: Stage) -> None:
    due = await stage.due("call")
    await stage.hear(due, due)
    listed = await stage.said()
    stage.clock.advance(timedelta(hours=1))
    await stage.hear(due)
    assert await stage.said() == listed
    [report] = listed
    assert isinstance(report, DeliveryReported)
    assert (report.channel, report.provider, report.outcome) == ("call", "desk", "listed")
    assert await stage.deliveries() == []


async def test_the_end_of_a_survey_ends_what_is_planned(stage: Stage) -> None:
    due = await stage.due()
    await stage.hear(due)
    await stage.hear(stage.ended(due.survey))
    await stage.hear(stage.ended(due.survey))
    assert await stage.reported() == [("suppressed", "survey answered")]
    assert await stage.send() == 0


async def test_any_order_and_any_repetition_come_to_the_same_end(stage: Stage) -> None:
    ends = set()
    for version, order in enumerate(permutations(("policy", "due", "due", "call", "ended")), start=2):
        due = await stage.due(version=version)
        call = await stage.due("call", survey=due.survey, step=1, version=version)
        events = {"policy": approved(version=version), "due": due, "call": call, "ended": stage.ended(due.survey)}
        for name in order:
            await stage.hear(events[name])
        await stage.send()
        ends.add(tuple((row["state"], row["detail"]) for row in await stage.deliveries(survey=due.survey)))
    assert ends == {(("suppressed", "survey answered"),)}
    assert await stage.calls() == []


async def test_a_message_waits_for_the_policy_that_words_it(stage: Stage) -> None:
    due = await stage.due(version=2)
    await stage.hear(due)
    assert await stage.send() == 0
    await stage.hear(approved(version=2))
    assert await stage.send() == 1


async def test_a_policy_version_is_kept_as_it_was_first_heard(stage: Stage) -> None:
    other = approved()
    changed = type(other)(**{**{name: getattr(other, name) for name in other.__struct_fields__}, "document": "{}"})
    await stage.hear(changed)
    await stage.hear(await stage.due())
    assert await stage.send() == 1
