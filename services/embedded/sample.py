"""Plays the sample: posts its tickets to the running house's hooks, signed, in the story's own time, once for ever."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import structlog

from services.clock import Clock
from services.embedded.folder import Folder, write_whole
from services.embedded.sample_register import register
from services.embedded.sample_story import STORY, Import, Registration, Report, Step
from services.embedded.sample_systems import Delivery, sign, tell
from services.identifiers import uuid7

log = structlog.get_logger(__name__)

SAMPLE_SPEED = 1200.0
"""How fast time runs with `--sample` unless `--speed` says otherwise: a second is twenty minutes, a day 72 seconds.

The first messages come after seven seconds, the reminders after a minute and a half, the calls at the two days' end.
"""

OPENED_BEFORE = timedelta(hours=3)
RETRY_SECONDS = 1.0


class Played(msgspec.Struct, frozen=True):
    """What `sample.json` keeps: when, in business time, the story began, and how many of its steps have been played."""

    began: datetime
    steps: int


class Player:
    """Plays the story against one address."""

    def __init__(self, path: Path, client: httpx.AsyncClient, clock: Clock, secrets: Mapping[str, str]) -> None:
        self._path = path
        self._client = client
        self._clock = clock
        self._secrets = secrets

    async def play(self, story: Sequence[Step] = STORY) -> None:
        """Plays what has not been played yet, each step at its time; a step that finds no ear is tried again."""
        played = self._read() or Played(self._clock.now(), 0)
        for number, step in enumerate(story[played.steps :], played.steps + 1):
            await self._wait_until(played.began + step.after)
            while not await self._told(step):  # noqa: ASYNC110 (nor does a server)
                await asyncio.sleep(RETRY_SECONDS)
            write_whole(self._path, msgspec.json.encode(Played(played.began, number)).decode())

    async def _wait_until(self, at: datetime) -> None:
        while self._clock.now() < at:  # noqa: ASYNC110 (a clock wakes nobody)
            await asyncio.sleep(0.05)

    def _read(self) -> Played | None:
        with suppress(FileNotFoundError, msgspec.DecodeError):
            return msgspec.json.decode(self._path.read_bytes(), type=Played)
        return None

    async def _told(self, step: Step) -> bool:
        try:
            answer = await self._tell(step)
        except httpx.HTTPError as error:
            log.warning("sample_step_unheard", error=str(error) or type(error).__name__)
            return False
        if answer.is_client_error:
            log.error("sample_step_refused", status=answer.status_code, answer=answer.text[:300])
        return not answer.is_server_error

    async def _tell(self, step: Step) -> httpx.Response:
        match step:
            case Registration():
                return await self._register(step)
            case Import():
                table = register(self._clock.now().date())
                headers = {"content-type": "text/csv"}
                return await self._client.post("/v1/customers/import", content=table, headers=headers)
            case Report():
                return await self._report(step)

    async def _register(self, step: Registration) -> httpx.Response:
        person = step.person
        known = {"name": person.name, "email": person.email, "phone": person.phone, "locale": person.locale}
        content = {name: value for name, value in known.items() if value} | {"customer": person.organisation}
        return await self._client.put(f"/v1/contacts/{step.source}/{person.id}", json=content)

    async def _report(self, step: Report) -> httpx.Response:
        # ITSM systems go by the time outside; the house places it on its own clock.
        now = datetime.now(UTC)
        source = step.ticket.source
        delivery = Delivery(uuid7(), now, tell(step.ticket, step.state, now, now - OPENED_BEFORE))
        headers = {"content-type": "application/json", **sign(source, self._secrets[source], delivery)}
        return await self._client.post(f"/hooks/{source}", content=delivery.body, headers=headers)


async def play_sample(folder: Folder, address: str, clock: Clock) -> None:
    """Plays the sample to its end against the house at `address`."""
    headers = {"authorization": f"Bearer {folder.admin_key}"}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=10, trust_env=False) as client:
        await Player(folder.sample, client, clock, folder.source_secrets).play()
