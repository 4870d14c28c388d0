import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from notifier.channels.http import Answer, HttpChannel, retry_after
from notifier.delivery import Outcome
from tests.notifier.servers import Reply, gateway


class Provider(HttpChannel):
    provider = "p"


async def ask(url: str, seconds: float = 5.0) -> Answer | Outcome:
    async with Provider() as channel:
        return await channel.request(asyncio.get_running_loop().time() + seconds, "POST", url, json={})


async def test_an_answer_is_read_whatever_it_is() -> None:
    async with gateway(lambda request: Reply(201, {"id": 1}, {"retry-after": "7"})) as server:
        assert await ask(server.url) == Answer(201, {"id": 1}, timedelta(seconds=7))
    async with gateway(lambda request: Reply(200, ["no object"])) as server:
        assert await ask(server.url) == Answer(200, {}, None)
    async with gateway(lambda request: Reply(204)) as server:
        assert await ask(server.url) == Answer(204, {}, None)


async def test_a_broken_line_and_silence_are_ambiguous() -> None:
    async with gateway(lambda request: Reply(drop=True)) as server:
        assert await ask(server.url) == Outcome("uncertain", "p RemoteProtocolError")
    async with gateway(lambda request: Reply(hang=True)) as server:
        assert await ask(server.url, seconds=1.2) == Outcome("uncertain", "p TimeoutError")
        assert len(server.requests) == 1


async def test_nobody_there_is_definite() -> None:
    async with gateway(lambda request: Reply()) as gone:
        url = gone.url
    assert await ask(url) == Outcome("temporary", "p ConnectError")


async def test_without_time_nothing_is_begun() -> None:
    async with gateway(lambda request: Reply()) as server:
        assert await ask(server.url, seconds=0.9) == Outcome("unstarted", "p no time")
        assert not server.requests


async def test_redirects_are_not_followed() -> None:
    async with gateway(lambda request: Reply(302, None, {"location": "http://169.254.169.254/"})) as server:
        answer = await ask(server.url)
        assert isinstance(answer, Answer)
        assert (answer.status, len(server.requests)) == (302, 1)


@pytest.mark.parametrize(
    ("text", "wait"),
    [(None, None), ("120", timedelta(minutes=2)), ("soon", None), ("-5", None), ("9" * 30, timedelta(seconds=10**8))],
)
def test_retry_after_in_seconds(text: str | None, wait: timedelta | None) -> None:
    assert retry_after(text) == wait


def test_retry_after_as_a_date() -> None:
    now = datetime.now(UTC)
    in_an_hour = retry_after(format_datetime(now + timedelta(hours=1), usegmt=True))
    assert in_an_hour is not None
    assert timedelta(minutes=59) < in_an_hour <= timedelta(hours=1)
    assert retry_after(format_datetime(now - timedelta(hours=1), usegmt=True)) == timedelta(0)
