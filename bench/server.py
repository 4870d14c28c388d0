"""`python -m bench.server PORT`: every room, with surveys whose pages are open, and the limits' addresses beside them.

A limit is the product's own code for the address with its one database call taken out.
"""

import asyncio
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from starlette.routing import Route

from ingest.api.hooks import Delivery, Door
from ingest.commands import ensure_sources
from scheduler.app import read_policies
from scoring import store
from scoring.handlers import Judged, keep_policies, open_pages
from scoring.page import Page
from scoring.pages import SurveyPages
from scoring.submission import Submission, decide
from services import logs
from services.clock import SystemClock
from services.contracts.policy import parse_policy
from services.contracts.surveys import PolicyApproved, SurveyDue
from services.contracts.tickets import Contact
from services.house import House
from services.identifiers import uuid7
from services.migrate import migrate
from services.room import Room
from services.run import ALL, open_house, run_loop, running, settle_memory, stop_on_signal
from services.seal import token_hash
from services.settings import Settings, read_settings
from services.statements import Statements

SECRET = "bench bench bench bench bench bench"
SQL = Statements("bench")
SURVEYS = 20_000
PER_BATCH = 2_000


def survey_id(number: int) -> UUID:
    """The id of the numbered survey."""
    return UUID(int=number + 1)


class DoorWithoutDatabase(Door):
    """Takes webhooks as the real one does, and keeps nothing."""

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self._take = _accept  # type: ignore[assignment]


async def _accept(_: Delivery) -> str:
    return "accepted"


class PagesWithoutDatabase(SurveyPages):
    """Shows pages and judges answers as the real one does, from memory."""

    def __init__(self, house: House, pages: Mapping[bytes, Page]) -> None:
        super().__init__(house)
        self._remembered = pages
        self._find = self._look  # type: ignore[assignment]
        self._take = self._judge  # type: ignore[assignment]

    async def _look(self, hashed: bytes) -> Page | None:
        return self._remembered.get(hashed)

    async def _judge(self, submission: Submission) -> Judged:
        page = self._remembered.get(submission.token_hash)
        policy = self._policies.of(page) if page else None
        if page is None or policy is None:
            return page, None
        return page, decide(page, policy, submission, self._house.clock.now(), 0, uuid7())

    async def learn(self) -> None:
        """Reads the policy once, as the real one does at the first visit."""
        async with self._house.database.reading() as transaction:
            await self._policies.learn(transaction, self._remembered.values())


async def prepare(house: House) -> dict[bytes, Page]:
    """The source, the default policy and the surveys; returns the surveys' pages by their links' hashes."""
    async with house.database.transaction("services") as transaction:
        await transaction.execute(SQL["furnish"])
    async with house.database.transaction("ingest") as transaction:
        await ensure_sources(house, transaction, {"generic": SECRET})
    version = read_policies(None)[0]
    policy = parse_policy(version.text, "policy")
    now = house.clock.now()
    approved = PolicyApproved(policy=policy.policy, version=1, effective_from=now, document=policy.document())
    async with house.database.transaction("scoring") as transaction:
        await keep_policies(house, transaction, [approved])
    for start in range(0, SURVEYS, PER_BATCH):
        due = [_due(number, policy.policy, now) for number in range(start, start + PER_BATCH)]
        async with house.database.transaction("scoring") as transaction:
            await open_pages(house, transaction, due)
    hashes = [token_hash(house.seal.link_token("survey", survey_id(number))) for number in range(SURVEYS)]
    async with house.database.reading() as transaction:
        return await store.find_pages(transaction, hashes)


def _due(number: int, policy: str, now: datetime) -> SurveyDue:
    return SurveyDue(
        survey=survey_id(number),
        step=0,
        kind="first",
        channel="email",
        name="incident",
        policy=policy,
        version=1,
        questionnaire="incident",
        due_at=now,
        promised_by=now + timedelta(days=2),
        expires_at=now + timedelta(days=7),
        contact=Contact(person=survey_id(number), channels=("email",), sealed=b"", locale="zh-CN"),
        source="generic",
        ticket=f"T-{number}",
        closure=1,
    )


async def serve(settings: Settings, port: int) -> None:
    """Serves until a signal, and says so on standard output when it is ready."""
    await migrate(settings.database_url.get_secret_value())
    stopping: asyncio.Event = stop_on_signal()
    async with open_house(settings, SystemClock()) as house:
        remembered = PagesWithoutDatabase(house, await prepare(house))
        await remembered.learn()
        limits = Room(
            name="bench",
            routes=(
                Route("/limit/hooks/{source}", DoorWithoutDatabase(house).answer, methods=["POST"]),
                Route("/limit/s/{token}", remembered.visit, methods=["GET", "POST"]),
            ),
        )
        async with running(house, ALL, port, public=("/limit/",), further=(limits,)):
            settle_memory()
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await stopping.wait()


if __name__ == "__main__":
    logs.configure("ERROR", "console")
    run_loop(serve(read_settings(), int(sys.argv[1])))
