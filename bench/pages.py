"""Webhook, survey page and answer: each beside the same address without database, and its p99 at a steady rate."""

import asyncio
import hashlib
import hmac
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from bench.load import Load, Request, pace, repeat, request, saturate
from bench.server import SECRET, SURVEYS, survey_id
from scoring.visit import Nonce, write_nonce
from services.seal import KeyRing, Seal, token_hash
from services.settings import Settings

CONNECTIONS = 64
SECONDS = 6.0
STEADY = 1_000
STEADY_SECONDS = 5.0


class PageFigure(NamedTuple):
    """A rate beside its limit, and the 99th percentile of latency at 1,000 a second, in milliseconds."""

    flow: str
    rate: float
    limit: float
    goal: float
    p99: float


async def measure(settings: Settings) -> list[PageFigure]:
    """The three addresses, each with its limit before it."""
    seal = Seal(KeyRing(settings.keyring.get_secret_value()))
    async with _server(settings) as port:
        return [
            await _figure(port, "webhook: signature, mapping, stored durably, 202", 0.6, 202, _webhooks),
            await _figure(port, "survey page", 0.5, 200, lambda prefix: _visits(seal, prefix)),
            await _figure(
                port, "answer: validated, one durable transaction", 0.8, 200, lambda prefix: _answers(seal, prefix)
            ),
        ]


async def _figure(
    port: int, flow: str, goal: float, expected: int, make: Callable[[str], Iterator[Request]]
) -> PageFigure:
    limit = await saturate(port, make("/limit"), expected, connections=CONNECTIONS, seconds=SECONDS)
    requests = make("")
    rate = await saturate(port, requests, expected, connections=CONNECTIONS, seconds=SECONDS)
    steady = await pace(port, requests, expected, rate=STEADY, seconds=STEADY_SECONDS)
    for load in (limit, rate, steady):
        _all_as_expected(flow, load)
    return PageFigure(flow, rate.rate, limit.rate, goal, steady.p99)


def _all_as_expected(flow: str, load: Load) -> None:
    if load.unexpected:
        raise RuntimeError(f"{flow}: {load.unexpected} answers were not the expected ones")


def _webhooks(prefix: str) -> Iterator[Request]:
    now = datetime.now(UTC).isoformat()

    def webhook(number: int) -> Request:
        ticket = {
            "ticket": f"W-{number}",
            "state": "closed",
            "at": now,
            "requester": {"name": "Wang Fang", "email": f"w{number}@example.com"},
            "group": "Network",
            "agent": "Lin",
            "customer": "ACME",
        }
        body = json.dumps(ticket).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", "x-hub-signature": f"sha256={signature}"}
        return request("POST", f"{prefix}/hooks/generic", headers, body)

    return repeat(webhook)


def _visits(seal: Seal, prefix: str) -> Iterator[Request]:
    pages = [request("GET", f"{prefix}/s/{_token(seal, number)}") for number in range(SURVEYS)]
    return repeat(lambda number: pages[number % SURVEYS])


def _answers(seal: Seal, prefix: str) -> Iterator[Request]:
    """First answers while there are links without one; after that, the same again, which is answered all the same."""
    headers = {"content-type": "application/x-www-form-urlencoded"}

    def answer(number: int) -> Request:
        token = _token(seal, number % SURVEYS)
        secret = seal.link_token("form", UUID(bytes=token_hash(token)[:16]))
        form = {
            "_nonce": write_nonce(secret, Nonce(datetime.now(UTC), 0)),
            "overall": "5",
            "speed": "4",
            "attitude": "5",
            "skill": "5",
            "resolved": "yes",
        }
        return request("POST", f"{prefix}/s/{token}", headers, urlencode(form).encode())

    return repeat(answer)


def _token(seal: Seal, number: int) -> str:
    return seal.link_token("survey", survey_id(number))


@asynccontextmanager
async def _server(settings: Settings) -> AsyncIterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    environment = {
        **os.environ,
        "HUIFANG_DATABASE_URL": settings.database_url.get_secret_value(),
        "HUIFANG_KAFKA": settings.kafka,
        "HUIFANG_KEYRING": settings.keyring.get_secret_value(),
        "HUIFANG_LOG_LEVEL": "ERROR",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.server", str(port), env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        if process.stdout is None or await process.stdout.readline() != b"ready\n":
            raise RuntimeError("the server did not start")
        yield port
    finally:
        process.terminate()
        await process.wait()
