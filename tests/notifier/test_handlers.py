from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from itertools import permutations

from msgspec import structs

from services.contracts.deliveries import DeliveryReported
from services.contracts.surveys import PolicyApproved
from services.database import PutAside, Transaction
from tests.notifier.rules import policy
from tests.notifier.servers import MailServer
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


async def test_a_policy_version_is_kept_as_it_was_first_heard(stage: Stage, server: MailServer) -> None:
    await stage.hear(approved(policy(own_words=True)))
    await stage.hear(await stage.due())
    await stage.send()
    [(_, content)] = server.mails
    assert message_from_bytes(content, policy=default)["Subject"] == "请您评价服务请求 INC001"


async def test_a_policy_that_cannot_be_read_is_put_aside_and_its_messages_wait(stage: Stage) -> None:
    good, bad = approved(version=2), structs.replace(approved(version=3), document='{"policy": "of a later language"}')
    handler = stage.room.handlers[PolicyApproved]

    async def work(transaction: Transaction) -> list[PutAside]:
        await handler(stage.house, transaction, [good, bad])
        return transaction.aside

    [aside] = await stage.house.database.run("notifier", work)
    assert (aside.event, aside.reason) == (bad, "unreadable")
    await stage.hear(await stage.due(version=2), await stage.due(version=3))
    assert await stage.send() == 1
