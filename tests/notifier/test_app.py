import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from prometheus_client import REGISTRY

from notifier import app
from notifier.delivery import JITTER, RETRIES, UNCERTAIN_FOR
from services.contracts.tickets import Channel
from services.pulse import Pulse
from services.tick import Ticker
from tests.notifier.rules import policy
from tests.notifier.servers import Gateway, MailServer, Reply, Request
from tests.notifier.stage import Stage, approved
from tests.services.waiting import until

ERASE = "update services.person_key set wrapped = null, key_id = null, erased_at = clock_timestamp() where person = $1"


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"huifang_{name}_total", labels) or 0.0


async def test_a_mail_goes_out_with_its_links_and_is_reported(stage: Stage, server: MailServer) -> None:
    before = counted("deliveries", channel="email", provider="smtp", outcome="accepted")
    due = await stage.due()
    await stage.hear(due)
    assert await stage.send() == 1
    [(address, content)] = server.mails
    message = message_from_bytes(content, policy=default)
    text = message.get_body(("plain",))
    assert text is not None
    page, opt_out = (stage.house.seal.link_token(purpose, due.survey) for purpose in ("survey", "opt-out"))
    assert address == "li@example.com"
    assert f"https://hf.example.cn/s/{page}?score=5" in text.get_content()
    assert message["List-Unsubscribe"] == f"<https://hf.example.cn/u/{opt_out}>"
    assert message["Message-ID"] == f"<{due.survey}.0@example.com>"
    delivery = await stage.delivery()
    assert (delivery["state"], delivery["attempts"], delivery["provider"]) == ("accepted", 1, "smtp")
    assert delivery["message_id"] == message["Message-ID"]
    assert await stage.reported() == [("accepted", "smtp answer 250 2.0.0")]
    assert counted("deliveries", channel="email", provider="smtp", outcome="accepted") == before + 1


async def test_a_text_goes_out_by_the_gateway(stage: Stage, sms: Gateway) -> None:
    await stage.hear(await stage.due("sms"))
    assert await stage.send("send_sms") == 1
    delivery = await stage.delivery()
    [request] = sms.requests
    assert request.json["to"] == "+8613800138000"
    assert request.json["reference"] == str(delivery["id"])
    assert request.json["text"].startswith("【云服务中心】")
    assert (delivery["state"], delivery["reference"]) == ("accepted", "g-1")


async def test_an_attempt_is_recorded_before_its_socket_opens(stage: Stage, server: MailServer) -> None:
    await stage.hear(await stage.due())
    [claim] = await stage.claim("send_email")
    assert server.connections == 0
    delivery = await stage.delivery()
    [attempt] = await stage.attempts(delivery["id"])
    assert (delivery["state"], delivery["attempts"], attempt["ending"]) == ("sending", 1, None)
    await stage.settle("send_email", [(claim, await stage.errand("send_email").perform(claim))])
    [attempt] = await stage.attempts(delivery["id"])
    assert attempt["ending"] == "accepted"


async def test_two_workers_never_take_the_same(stage: Stage) -> None:
    await stage.hear(*[await stage.due() for _ in range(40)])
    claims = await asyncio.gather(*(stage.claim("send_email", 10) for _ in range(4)))
    taken = [each.delivery for claim in claims for each in claim]
    assert len(taken) == len(set(taken)) == 40


async def test_ambiguous_ends_are_never_repeated(stage: Stage, server: MailServer) -> None:
    mails = 200
    server.at_content["*"] = "drop"
    before = counted("uncertain", channel="email")
    dues = [await stage.due(contact=await stage.contact(f"p{number}@example.com")) for number in range(mails)]
    await stage.hear(*dues)
    await stage.send()
    for _ in range(4):
        stage.clock.advance(timedelta(hours=8))
        await stage.hear(*dues)
        await stage.send()
        await stage.tick("expire_leases")
    assert len(server.mails) == len(set(server.recipients)) == mails
    assert [row["state"] for row in await stage.deliveries()] == ["uncertain"] * mails
    assert counted("uncertain", channel="email") == before + mails
    assert {outcome for outcome, _ in await stage.reported()} == {"uncertain"}


async def test_what_stays_uncertain_for_a_day_is_flagged(stage: Stage, server: MailServer) -> None:
    server.at_content["*"] = "drop"
    await stage.hear(await stage.due())
    await stage.send()
    stage.clock.advance(UNCERTAIN_FOR - timedelta(seconds=1))
    assert await stage.tick("close_uncertain") == 0
    stage.clock.advance(timedelta(seconds=1))
    assert await stage.tick("close_uncertain") == 1
    assert await stage.tick("close_uncertain") == 0
    assert (await stage.delivery())["unresolved"]


async def test_definite_failures_follow_the_schedule_to_the_end(stage: Stage, server: MailServer) -> None:
    server.at_content["*"] = "451 4.3.0 later"
    await stage.hear(approved(policy(quiet=False), version=2))
    await stage.hear(await stage.due(version=2))
    await stage.send()
    waits = []
    while (delivery := await stage.delivery())["state"] == "planned":
        waits.append(delivery["next_at"] - stage.clock.now())
        stage.clock.set(delivery["next_at"] - timedelta(microseconds=1))
        assert await stage.send() == 0
        stage.clock.set(delivery["next_at"])
        assert await stage.send() == 1
    assert len(server.mails) == len(RETRIES) + 1 == delivery["attempts"]
    for wait, planned in zip(waits, RETRIES, strict=True):
        assert planned * (1 - JITTER) <= wait <= planned * (1 + JITTER)
    identifiers = {message_from_bytes(content)["Message-ID"] for _, content in server.mails}
    assert len(identifiers) == 1
    assert await stage.reported() == [("failed", "gave up: smtp answer 451 4.3.0")]
    attempts = await stage.attempts(delivery["id"])
    assert [each["ending"] for each in attempts] == ["temporary"] * len(server.mails)


async def test_a_retry_waits_for_the_end_of_the_quiet_hours(stage: Stage, server: MailServer) -> None:
    server.at_content["*"] = "451 4.3.0 later"
    stage.clock.advance(timedelta(hours=10, minutes=59))  # 20:59 in Shanghai
    await stage.hear(await stage.due())
    assert await stage.send() == 1
    stage.clock.advance(timedelta(minutes=5))
    assert await stage.send() == 0
    delivery = await stage.delivery()
    assert (delivery["state"], delivery["detail"]) == ("planned", "quiet hours")
    assert delivery["next_at"].isoformat() == "2026-03-03T00:30:00+00:00"
    stage.clock.set(delivery["next_at"])
    assert await stage.send() == 1


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases that have run out when they are taken: their worker stands still from then on."""
    monkeypatch.setattr(app, "LEASE_SECONDS", 0.0)


@pytest.mark.usefixtures("short_lease")
@pytest.mark.parametrize("reply", ["250 OK", "451 later", "550 5.1.1 unknown", "drop"])
async def test_a_frozen_worker_writes_nothing_after_the_takeover(stage: Stage, server: MailServer, reply: str) -> None:
    server.at_content["*"] = reply
    await stage.hear(*[await stage.due() for _ in range(20)])
    claims = await stage.claim("send_email")
    assert await stage.tick("expire_leases") == 20
    taken_over = await stage.fingerprint()
    await stage.said()
    done = [(claim, await stage.errand("send_email").perform(claim)) for claim in claims]
    await stage.settle("send_email", done)
    assert await stage.fingerprint() == taken_over
    assert await stage.said() == []
    assert {row["state"] for row in await stage.deliveries()} == {"uncertain"}
    assert await stage.send() == 0


async def test_a_lease_that_still_runs_is_left_alone(stage: Stage) -> None:
    await stage.hear(await stage.due())
    await stage.claim("send_email")
    assert await stage.tick("expire_leases") == 0


async def test_a_refused_address_is_never_written_to_again(stage: Stage, server: MailServer) -> None:
    server.at_recipient["li@example.com"] = "550 5.1.1 unknown"
    await stage.hear(await stage.due())
    await stage.send()
    server.at_recipient.clear()
    await stage.hear(
        *[await stage.due() for _ in range(50)], await stage.due(contact=await stage.contact("wang@example.com"))
    )
    await asyncio.gather(*(stage.send() for _ in range(3)))
    assert server.recipients == ["wang@example.com"]
    details = [row["detail"] for row in await stage.deliveries(state="failed")]
    assert details == ["smtp recipient 550 5.1.1", *["address refused before"] * 50]


async def test_an_erased_person_is_not_written_to(stage: Stage, server: MailServer) -> None:
    due = await stage.due()
    await stage.hear(due)
    await stage.house.database.run("notifier", lambda tx: tx.execute(ERASE, due.contact.person))
    await stage.send()
    assert await stage.reported() == [("suppressed", "erased")]
    assert not server.mails


@pytest.mark.parametrize(
    ("channel", "contact", "reported"),
    [
        ("email", {"email": "nobody"}, ("failed", "no usable address")),
        ("email", {"phone": "+8613800138000"}, ("failed", "no usable address")),
        ("sms", {"email": "li@example.com"}, ("failed", "no usable address")),
        ("sms", {"phone": "110"}, ("failed", "no usable address")),
    ],
)
async def test_without_a_usable_address_the_step_fails(
    stage: Stage, channel: Channel, contact: dict[str, str], reported: tuple[str, str]
) -> None:
    await stage.hear(await stage.due(channel, await stage.contact(**contact)))
    await stage.send(f"send_{channel}")
    assert await stage.reported() == [reported]


async def test_a_survey_that_has_expired_is_not_announced(stage: Stage, server: MailServer) -> None:
    await stage.hear(await stage.due(), await stage.due(version=99))
    stage.clock.advance(timedelta(days=7))
    await stage.send()
    assert await stage.reported() == [("suppressed", "expired")] * 2
    assert not server.mails


async def test_a_whole_backlog_that_must_not_be_sent_does_not_hold_up_the_rest(
    stage: Stage, server: MailServer
) -> None:
    dues = [await stage.due(contact=await stage.contact("nobody")) for _ in range(30)]
    await stage.hear(*dues)
    stage.clock.advance(timedelta(seconds=1))
    await stage.hear(await stage.due())
    assert len(await stage.claim("send_email", 5)) == 1


def gateway_answers(sms: Gateway, *answers: Reply) -> None:
    """Answers in turn; the last one for ever."""
    left = list(answers)
    sms.answer = lambda request: left.pop(0) if len(left) > 1 else left[0]


async def test_a_wait_that_the_provider_asks_for_is_kept(stage: Stage, sms: Gateway) -> None:
    gateway_answers(sms, Reply(429, None, {"retry-after": "7200"}), Reply(202))
    await stage.hear(await stage.due("sms"))
    await stage.send("send_sms")
    delivery = await stage.delivery()
    assert delivery["next_at"] - stage.clock.now() == timedelta(hours=2)


def asked(state: str) -> Any:
    """Loses the answer to every text, and answers questions about it."""

    def answer(request: Request) -> Reply:
        if request.method == "POST":
            return Reply(drop=True)
        return Reply(200, {"reference": request.path.rpartition("/")[2], "status": state})

    return answer


@pytest.mark.parametrize(
    ("told", "state"), [("accepted", "accepted"), ("delivered", "delivered"), ("failed", "bounced")]
)
async def test_an_uncertain_text_is_asked_about(stage: Stage, sms: Gateway, told: str, state: str) -> None:
    sms.answer = asked(told)
    await stage.hear(await stage.due("sms"))
    await stage.send("send_sms")
    assert await stage.send("ask_sms") == 0
    stage.clock.advance(timedelta(minutes=1))
    assert await stage.send("ask_sms") == 1
    assert (await stage.delivery())["state"] == state
    assert [outcome for outcome, _ in await stage.reported()] == ["uncertain", state]
    assert [request.method for request in sms.requests] == ["POST", "GET"]


async def test_what_the_provider_never_had_is_sent_again_with_the_same_reference(stage: Stage, sms: Gateway) -> None:
    sms.answer = asked("unknown")
    await stage.hear(await stage.due("sms"))
    await stage.send("send_sms")
    stage.clock.advance(timedelta(minutes=1))
    await stage.send("ask_sms")
    gateway_answers(sms, Reply(202, {"id": "g-9"}))
    assert await stage.send("send_sms") == 1
    delivery = await stage.delivery()
    assert (delivery["state"], delivery["attempts"]) == ("accepted", 2)
    sent = [json.loads(request.body)["reference"] for request in sms.requests if request.method == "POST"]
    assert sent == [str(delivery["id"])] * 2


async def test_a_gateway_that_cannot_be_asked_leaves_it_uncertain(stage: Stage, sms: Gateway) -> None:
    gateway_answers(sms, Reply(drop=True), Reply(404))
    await stage.hear(await stage.due("sms"))
    await stage.send("send_sms")
    for _ in range(30):
        stage.clock.advance(timedelta(hours=1))
        await stage.send("ask_sms")
        await stage.tick("close_uncertain")
    delivery = await stage.delivery()
    assert (delivery["state"], delivery["unresolved"]) == ("uncertain", True)
    assert 20 < len(sms.requests) < 26


async def test_a_message_that_breaks_is_not_sent_again(
    stage: Stage, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*arguments: Any) -> None:
        raise RuntimeError("about li@example.com")

    errand = stage.errand("send_email")
    await stage.hear(await stage.due())
    claims: Sequence[Any] = await stage.claim("send_email")
    monkeypatch.setattr("notifier.channels.smtp.SmtpChannel.send", breaks)
    await stage.settle("send_email", [(claim, await errand.perform(claim)) for claim in claims])
    assert await stage.reported() == [("uncertain", "broke: RuntimeError")]


async def all_accepted(stage: Stage) -> bool:
    return {row["state"] for row in await stage.deliveries()} == {"accepted"}


async def test_the_room_runs_by_itself(stage: Stage, server: MailServer, sms: Gateway) -> None:
    ticker = Ticker(stage.house, "notifier", Pulse())
    running = [asyncio.create_task(ticker.run(tick)) for tick in stage.room.ticks]
    mails = [await stage.due(contact=await stage.contact(f"p{number}@example.com")) for number in range(100)]
    await stage.hear(*mails, *[await stage.due("sms") for _ in range(30)])
    await until(lambda: all_accepted(stage))
    ticker.stop()
    async with asyncio.timeout(10):
        await asyncio.gather(*running)
    assert len(set(server.recipients)) == len(server.mails) == 100
    assert len(sms.requests) == 30
    assert server.connections <= 8
