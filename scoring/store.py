"""What scoring keeps, statement by statement."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from scoring.page import Page
from scoring.response import Answer
from scoring.submission import Version
from services.contracts.policy import Policy
from services.contracts.responses import Validity
from services.contracts.surveys import PolicyApproved, SurveyDue, SurveyEnded
from services.contracts.tickets import TicketFacts
from services.database import Record, Transaction
from services.statements import Statements

SQL = Statements("scoring")

PolicyKey = tuple[str, int]
"""A version of a policy."""


class Origin(NamedTuple):
    """An answer that came from an address: for which customer, and when."""

    customer: str
    answered_at: datetime


class Kept(NamedTuple):
    """A version of a response, the page that it answers, and the validity of the response as it stands now."""

    page: Page
    version: Version
    validity: Validity


class Listing(NamedTuple):
    """Which responses are wanted; None for every one. `before` is the key of the last one shown."""

    name: str | None
    survey: UUID | None
    source: str | None
    ticket: str | None
    since: datetime | None
    until: datetime | None
    validity: str | None
    before: tuple[datetime, UUID] | None
    most: int


class Wanted(NamedTuple):
    """Which answers a figure is made of: of a survey's name, a policy, or all; from `since` until before `until`.

    `again`: of those who were asked again because of an answer, else of those who were not.
    """

    group: str
    since: datetime | None
    until: datetime | None
    name: str | None
    policy: str | None
    again: bool


_decode_facts = msgspec.json.Decoder(TicketFacts).decode
_encode = msgspec.json.Encoder().encode
_decode_answers = msgspec.json.Decoder(dict[str, int | bool | str | tuple[str, ...]]).decode
_decode_texts = msgspec.json.Decoder(dict[str, str]).decode
_decode_numbers = msgspec.json.Decoder(dict[str, float]).decode


def _columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows as the arrays that `unnest` takes."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    return columns or [[] for _ in range(width)]


def _json(value: object) -> str:
    return _encode(value).decode()


def numbers_of(row: Record) -> dict[str, float]:
    """The closed answers in a row, as numbers."""
    return _decode_numbers(row["numbers"])


async def insert_policies(transaction: Transaction, approved: Sequence[tuple[PolicyApproved, Policy]]) -> None:
    """Keeps versions of policies."""
    rows = [
        (
            event.policy,
            event.version,
            event.effective_from,
            policy.calendar.timezone,
            policy.privacy.minimum_group,
            event.document,
        )
        for event, policy in approved
    ]
    await transaction.execute(SQL["insert_policies"], *_columns(rows, 6))


async def find_policies(transaction: Transaction, keys: Iterable[PolicyKey]) -> dict[PolicyKey, str]:
    """The documents of policy versions that are known."""
    rows = await transaction.fetch(SQL["find_policies"], *_columns(list(keys), 2))
    return {(row["policy"], row["version"]): row["document"] for row in rows}


async def upsert_pages(transaction: Transaction, dues: Sequence[tuple[bytes, SurveyDue]]) -> None:
    """Opens pages, each survey once, by the hash of its link's token."""
    rows = [
        (
            due.survey,
            token_hash,
            due.name,
            due.policy,
            due.version,
            due.questionnaire,
            due.contact.person,
            due.contact.locale,
            due.source,
            due.ticket,
            due.closure,
            _json(due.facts),
            due.due_at,
            due.expires_at,
            " ".join(due.items),
            _json(due.respondent),
            due.again,
        )
        for token_hash, due in dues
    ]
    await transaction.execute(SQL["upsert_pages"], *_columns(rows, 17))


async def upsert_survey_ends(transaction: Transaction, ends: Sequence[SurveyEnded]) -> None:
    """Notes how surveys ended, each once, and their answers as heard."""
    rows = [(end.survey, end.state, end.ended_at) for end in ends]
    await transaction.execute(SQL["upsert_survey_ends"], *_columns(rows, 3))
    await transaction.execute(SQL["mark_echoed"], [end.survey for end in ends])


async def find_pages(transaction: Transaction, token_hashes: Iterable[bytes]) -> dict[bytes, Page]:
    """What links lead to, by the hash of their token."""
    rows = await transaction.fetch(SQL["find_pages"], list(set(token_hashes)))
    return {row["token_hash"]: _page(row) for row in rows}


def _page(row: Record) -> Page:
    answers: dict[str, Answer] = {}
    if row["version"]:
        answers = {**_decode_answers(row["answers"]), **_decode_texts(row["texts"])}
    return Page(
        survey=row["survey"],
        name=row["name"],
        policy=row["policy"],
        policy_version=row["policy_version"],
        questionnaire=row["questionnaire"],
        person=row["person"],
        locale=row["locale"],
        expires_at=row["expires_at"],
        source=row["source"],
        ticket=row["ticket"],
        closure=row["closure"],
        facts=_decode_facts(row["facts"]),
        items=tuple(row["items"]),
        again=row["again"],
        ended=row["ended"],
        response=row["response"],
        version=row["version"],
        answered_at=row["answered_at"],
        answers=answers,
    )


async def find_origins(transaction: Transaction, origins: Sequence[str], since: datetime) -> dict[str, list[Origin]]:
    """For whom answers came from these addresses since then."""
    found: dict[str, list[Origin]] = {}
    for row in await transaction.fetch(SQL["find_origins"], list(origins), since):
        found.setdefault(row["origin"], []).append(Origin(row["customer"], row["answered_at"]))
    return found


async def insert_responses(transaction: Transaction, answered: Sequence[tuple[Page, Version]]) -> set[tuple[UUID, int]]:
    """Keeps versions of responses, and returns survey and number of those that are new."""
    rows = [
        (
            version.response,
            version.survey,
            version.version,
            page.name,
            page.source,
            page.ticket,
            version.channel,
            version.validity,
            version.answered_at,
            _json(version.answers),
            _json(version.texts),
            _json(version.numbers),
            version.score,
            version.satisfied,
            " ".join(version.flags),
            version.origin,
            page.customer,
        )
        for page, version in answered
    ]
    added = await transaction.fetch(SQL["insert_responses"], *_columns(rows, 17))
    return {(row["survey"], row["version"]) for row in added}


async def take_unheard(transaction: Transaction, patience: timedelta, most: int) -> list[UUID]:
    """Surveys whose answers had no echo for so long."""
    await transaction.execute(SQL["settle_echoes"])
    return [row["survey"] for row in await transaction.fetch(SQL["take_unheard"], patience, most)]


async def find_versions(transaction: Transaction, surveys: Sequence[UUID]) -> list[Kept]:
    """Every version of the answers to these surveys, in order."""
    rows = await transaction.fetch(SQL["find_versions"], list(surveys))
    return [Kept(_page(row), _version(row), row["validity"]) for row in rows]


def _version(row: Record) -> Version:
    return Version(
        response=row["response"],
        survey=row["survey"],
        version=row["this_version"],
        channel=row["channel"],
        answered_at=row["this_answered_at"],
        answers=_decode_answers(row["answers"]),
        texts=_decode_texts(row["texts"]),
        numbers=_decode_numbers(row["numbers"]),
        score=row["score"],
        satisfied=row["satisfied"],
        flags=tuple(row["flags"]),
        origin=None,
    )


async def list_responses(transaction: Transaction, listing: Listing) -> list[Record]:
    """A part of the list of responses, latest first."""
    before = listing.before or (None, None)
    return await transaction.fetch(SQL["list_responses"], *listing[:7], *before, listing.most)


async def find_survey_of_response(transaction: Transaction, response: UUID) -> UUID | None:
    """The survey that a response answers."""
    found: UUID | None = await transaction.fetchval(SQL["find_survey_of_response"], response)
    return found


async def count_patterns(transaction: Transaction, wanted: Wanted) -> list[Record]:
    """How often each pattern of answers was given, by group."""
    return await transaction.fetch(SQL["count_patterns"], *wanted)


async def count_asked(transaction: Transaction, wanted: Wanted) -> list[Record]:
    """How many were asked in a period, and how many of them answered, by group."""
    return await transaction.fetch(SQL["count_asked"], *wanted)


async def find_minimum_group(transaction: Transaction) -> int:
    """The smallest group that is shown."""
    return int(await transaction.fetchval(SQL["find_minimum_group"]))


async def measure_satisfaction(transaction: Transaction, since: datetime) -> dict[str, float]:
    """The satisfied share of the valid answers since a moment, by survey."""
    rows = await transaction.fetch(SQL["measure_satisfaction"], since)
    return {row["name"]: row["ratio"] for row in rows}


async def forget_origins(transaction: Transaction, before: datetime) -> None:
    """Forgets from where older answers came."""
    await transaction.execute(SQL["forget_origins"], before)
