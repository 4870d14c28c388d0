"""Every statement of `store.sql` as one typed function."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec

from scheduler.closure import Closure, Key, Verdict
from scheduler.dossier import Change, Dossier, Move
from scheduler.policy import Closing
from scheduler.store.columns import array, columns
from scheduler.store.policies import NewVersion as NewVersion
from scheduler.store.policies import find_policies as find_policies
from scheduler.store.policies import find_policies_in_force as find_policies_in_force
from scheduler.store.policies import find_policy_version as find_policy_version
from scheduler.store.policies import insert_policy_version as insert_policy_version
from scheduler.store.policies import list_policies as list_policies
from services.contracts.surveys import Respondent
from services.contracts.tickets import Contact, TicketFacts
from services.database import Record, Transaction
from services.statements import Statements

SQL = Statements("scheduler")

_MOVE_COLUMNS = Move._fields
_write = msgspec.json.Encoder().encode
_read_facts = msgspec.json.Decoder(TicketFacts).decode
_read_respondent = msgspec.json.Decoder(Respondent).decode
_read_contact = msgspec.json.Decoder(Contact).decode


class SurveyQuery(NamedTuple):
    """Which surveys a list shows; None does not narrow."""

    after: UUID | None
    state: str | None
    planned_from: datetime | None
    planned_until: datetime | None


async def find_closures(transaction: Transaction, tickets: Iterable[tuple[str, str]]) -> dict[Key, Closure]:
    """Every closure of the tickets that is known."""
    rows = await transaction.fetch(SQL["find_closures"], *columns(tickets, 2))
    return {closure.key: closure for closure in map(_closure, rows)}


async def insert_closures(transaction: Transaction, closures: Sequence[Closure]) -> int:
    """Stores new closures and returns how many of them were new."""
    rows = []
    for each in closures:
        (source, ticket, number), closing = each.key, _told(each)
        facts, contact = _texts(closing)
        rows.append(
            (
                *(source, ticket, number, closing.on, closing.closed_at, each.reopened_at, facts, contact),
                *_verdict_columns(each),
            )
        )
    return len(await transaction.fetch(SQL["insert_closures"], *columns(rows, 18)))


async def update_closures(transaction: Transaction, closures: Sequence[Closure]) -> None:
    """Stores what closures have become; their reopening is not touched."""
    rows = []
    for each in closures:
        closing = _told(each)
        rows.append((*each.key, closing.closed_at, *_texts(closing), *_verdict_columns(each)))
    await transaction.execute(SQL["update_closures"], *columns(rows, 16))


async def insert_former_decisions(transaction: Transaction, former: Sequence[tuple[Key, Verdict]]) -> None:
    """Keeps decisions that are replaced."""
    rows = [(*key, *_verdict_values(verdict)) for key, verdict in former]
    await transaction.execute(SQL["insert_former_decisions"], *columns(rows, 13))


async def list_former_decisions(transaction: Transaction, source: str, ticket: str) -> list[Record]:
    """The decisions on a ticket that were replaced."""
    return await transaction.fetch(SQL["list_former_decisions"], source, ticket)


async def upsert_reopenings(transaction: Transaction, reopenings: Mapping[Key, datetime]) -> None:
    """Notes when closures were reopened."""
    rows = [(*key, at) for key, at in sorted(reopenings.items())]
    await transaction.execute(SQL["upsert_reopenings"], *columns(rows, 4))


async def insert_people(transaction: Transaction, people: Iterable[UUID]) -> None:
    """Makes people known."""
    await transaction.execute(SQL["insert_people"], list(people))


async def lock_people(transaction: Transaction, people: Iterable[UUID]) -> set[UUID]:
    """Keeps other workers off known people until the commit; returns those who want never to be asked."""
    rows = await transaction.fetch(SQL["lock_people"], list(people))
    return {row["person"] for row in rows if row["opted_out_at"] is not None}


async def find_opted_out(transaction: Transaction, people: Iterable[UUID]) -> set[UUID]:
    """Those who want never to be asked."""
    return {row["person"] for row in await transaction.fetch(SQL["find_opted_out"], list(people))}


async def find_asked(
    transaction: Transaction, people: Iterable[UUID], since: datetime
) -> dict[UUID, dict[Key, datetime]]:
    """When people were or are to be asked since a time, by the closure that they are asked about."""
    asked: dict[UUID, dict[Key, datetime]] = {}
    for row in await transaction.fetch(SQL["find_asked"], list(people), since):
        asked.setdefault(row["person"], {})[Key(row["source"], row["ticket"], row["closure"])] = row["asked_at"]
    return asked


async def find_told(transaction: Transaction, asked: Iterable[tuple[UUID, UUID, datetime]]) -> dict[UUID, int]:
    """For each (survey, person, since): how often another survey asked the person since then, until now."""
    rows = await transaction.fetch(SQL["find_told"], *columns(asked, 3), transaction.now)
    return {row["id"]: row["times"] for row in rows}


async def upsert_opt_outs(transaction: Transaction, people: Mapping[UUID, datetime]) -> None:
    """Notes that people want never to be asked, and since when."""
    await transaction.execute(SQL["upsert_opt_outs"], *columns(people.items(), 2))


async def insert_surveys(transaction: Transaction, dossiers: Sequence[Dossier]) -> None:
    """Stores new surveys."""
    rows = []
    for each in dossiers:
        survey, rule = each.survey, each.rule
        source, ticket, closure, *_ = each.closing
        rows.append(
            (
                survey.id,
                source,
                ticket,
                closure,
                rule.name,
                rule.policy,
                rule.version,
                each.contact.person,
                survey.state,
                survey.promised_by,
                survey.expires_at,
                survey.asked_at,
                survey.ended_at,
                len(survey.steps),
                survey.next_step,
                survey.next_at,
                rule.survey.limited,
                array(survey.items),
                survey.owner,
                _write(survey.respondent).decode(),
            )
        )
    await transaction.execute(SQL["insert_surveys"], transaction.now, *columns(rows, 20))


async def find_surveys_of_closures(transaction: Transaction, closures: Iterable[Key]) -> list[UUID]:
    """The surveys of closures."""
    rows = await transaction.fetch(SQL["find_surveys_of_closures"], *columns(closures, 3))
    return [row["id"] for row in rows]


async def find_open_surveys_of_people(transaction: Transaction, people: Iterable[UUID]) -> list[UUID]:
    """The surveys of people that are not over."""
    return [row["id"] for row in await transaction.fetch(SQL["find_open_surveys_of_people"], list(people))]


async def lock_surveys(transaction: Transaction, surveys: Iterable[UUID]) -> list[Record]:
    """Surveys with what they are about; `read_closing` and `read_contact` read the latter."""
    return await transaction.fetch(SQL["lock_surveys"], list(surveys))


async def save_surveys(transaction: Transaction, changes: Sequence[Change]) -> None:
    """Stores what surveys have become."""
    rows = [
        (
            survey.id,
            survey.state,
            survey.promised_by,
            survey.expires_at,
            survey.asked_at,
            survey.contacted_at,
            survey.ended_at,
            array(survey.steps),
            array(survey.reported),
            survey.next_step,
            survey.next_at,
            survey.is_open and "said" in survey.steps,
        )
        for survey in (change.after for change in changes)
    ]
    await transaction.execute(SQL["save_surveys"], *columns(rows, 12))


async def insert_moves(transaction: Transaction, moves: Sequence[Move]) -> None:
    """Writes surveys' history."""
    await transaction.copy("scheduler.survey_move", _MOVE_COLUMNS, moves)


async def insert_dues(transaction: Transaction, dues: Sequence[tuple[datetime, UUID, int]]) -> None:
    """Queues (when, survey, step)."""
    await transaction.execute(SQL["insert_dues"], *columns(dues, 3))


async def claim_dues(transaction: Transaction, most: int) -> dict[UUID, set[int]]:
    """Takes what is due now out of the queue: the steps by survey."""
    dues: dict[UUID, set[int]] = {}
    for row in await transaction.fetch(SQL["claim_dues"], transaction.now, most):
        dues.setdefault(row["survey"], set()).add(row["step"])
    return dues


async def claim_silent(transaction: Transaction, patience: timedelta, most: int) -> list[UUID]:
    """Surveys of which a step was said so long ago, by the database's clock, without an echo."""
    return [row["id"] for row in await transaction.fetch(SQL["claim_silent"], patience, most)]


async def count_promises(transaction: Transaction) -> tuple[int, int]:
    """How many promises are at risk, and how many are broken."""
    row = await transaction.fetchrow(SQL["count_promises"], transaction.now)
    return (row["at_risk"], row["overdue"]) if row else (0, 0)


async def list_surveys_of_ticket(transaction: Transaction, source: str, ticket: str) -> list[Record]:
    """The surveys of a ticket."""
    return await transaction.fetch(SQL["list_surveys_of_ticket"], source, ticket)


async def list_moves_of_ticket(transaction: Transaction, source: str, ticket: str) -> list[Record]:
    """The moves of a ticket's surveys."""
    return await transaction.fetch(SQL["list_moves_of_ticket"], source, ticket)


async def list_surveys(transaction: Transaction, query: SurveyQuery, most: int) -> list[Record]:
    """A page of surveys, the latest first."""
    return await transaction.fetch(SQL["list_surveys"], *query, most)


async def find_survey(transaction: Transaction, survey: UUID) -> Record | None:
    """One survey."""
    return await transaction.fetchrow(SQL["find_survey"], survey)


async def list_moves(transaction: Transaction, survey: UUID) -> list[Record]:
    """The moves of one survey."""
    return await transaction.fetch(SQL["list_moves"], survey)


def read_closing(row: Record) -> Closing:
    """The closing in a row that has its columns."""
    key, facts = (row["source"], row["ticket"], row["closure"]), _read_facts(row["facts"])
    return Closing(*key, row["closed_at"], facts, read_contact(row), row["kind"])


def read_respondent(row: Record) -> Respondent:
    """Who is asked by a survey, in the register's words."""
    return _read_respondent(row["respondent"])


def read_contact(row: Record) -> Contact | None:
    """The person in a row of a closing."""
    return _read_contact(row["contact"]) if row["contact"] is not None else None


def _closure(row: Record) -> Closure:
    return Closure(
        key=Key(row["source"], row["ticket"], row["closure"]),
        closing=read_closing(row) if row["closed_at"] is not None else None,
        reopened_at=row["reopened_at"],
        verdict=Verdict(**{name: row[name] for name in Verdict.__struct_fields__})
        if row["outcome"] is not None
        else None,
    )


def _told(closure: Closure) -> Closing:
    if closure.closing is None:
        raise ValueError(f"{closure.key} is known only by its reopening")
    return closure.closing


def _texts(closing: Closing) -> tuple[str, str | None]:
    contact = _write(closing.contact).decode() if closing.contact is not None else None
    return _write(closing.facts).decode(), contact


def _verdict_columns(closure: Closure) -> tuple[object, ...]:
    if closure.verdict is None:
        raise ValueError(f"{closure.key} is not decided")
    return _verdict_values(closure.verdict)


def _verdict_values(verdict: Verdict) -> tuple[object, ...]:
    return (
        verdict.turn,
        verdict.outcome,
        verdict.reason,
        verdict.rule,
        verdict.draw,
        verdict.policy,
        verdict.version,
        verdict.actor,
        verdict.note,
        verdict.decided_at,
    )
