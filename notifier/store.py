"""Every statement of `store.sql` as one typed function."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from notifier.call import CallOutcome
from notifier.delivery import Outcome, Receipt, Settlement, State
from services.contracts.surveys import PolicyApproved, SurveyDue, SurveyEnded
from services.database import Record, Transaction
from services.identifiers import uuid7
from services.seal import token_hash
from services.statements import Statements

SQL = Statements("notifier")

PolicyKey = tuple[str, int]
Move = tuple[UUID, State, str, datetime | None]
"""A delivery, its new state, why, and when it is due again where that is `planned`."""


class Key(NamedTuple):
    """The natural key of a delivery."""

    survey: UUID
    step: int
    channel: str


class Settled(NamedTuple):
    """How one attempt ended and what that makes of its delivery."""

    delivery: UUID
    fence: int
    outcome: Outcome
    settlement: Settlement
    ask_at: datetime | None


class OptOutLink(NamedTuple):
    """A link by which a customer declines, as it is stored."""

    token: str
    due: SurveyDue


async def insert_policies(transaction: Transaction, policies: Sequence[PolicyApproved]) -> None:
    """Keeps copies of policies."""
    rows = [(each.policy, each.version, each.effective_from, each.document) for each in policies]
    await transaction.execute(SQL["insert_policies"], *_columns(rows, 4))


async def insert_issuers(transaction: Transaction, issuers: Sequence[tuple[str, int, str, str]]) -> None:
    """Keeps in whose name surveys go out: policy, version, survey, issuer."""
    await transaction.execute(SQL["insert_issuers"], *_columns(issuers, 4))


async def find_policies(transaction: Transaction, keys: Sequence[PolicyKey]) -> dict[PolicyKey, str]:
    """The documents of policy versions that are known."""
    rows = await transaction.fetch(SQL["find_policies"], *_columns(keys, 2))
    return {(row["policy"], row["version"]): row["document"] for row in rows}


async def insert_deliveries(transaction: Transaction, dues: Sequence[SurveyDue]) -> set[Key]:
    """Plans deliveries and returns those that are new."""
    rows = [
        (
            uuid7(),
            each.survey,
            each.step,
            each.channel,
            each.kind,
            each.name,
            each.policy,
            each.version,
            each.questionnaire,
            " ".join(each.items),
            each.ticket,
            each.contact.person,
            each.contact.sealed,
            each.contact.locale,
            each.contact.timezone,
            each.due_at,
            each.expires_at,
        )
        for each in dues
    ]
    inserted = await transaction.fetch(SQL["insert_deliveries"], *_columns(rows, 17), transaction.now)
    return {Key(row["survey"], row["step"], row["channel"]) for row in inserted}


async def find_reportable(transaction: Transaction, keys: Sequence[Key]) -> list[Record]:
    """Those of the deliveries that have an outcome to report."""
    return await transaction.fetch(SQL["find_reportable"], *_columns(keys, 3))


async def insert_opt_out_links(transaction: Transaction, links: Sequence[OptOutLink]) -> None:
    """Keeps the hashes of links."""
    rows = [
        (token_hash(token), due.survey, due.contact.person, due.contact.locale, due.policy, due.version)
        for token, due in links
    ]
    await transaction.execute(SQL["insert_opt_out_links"], *_columns(rows, 6))


async def insert_survey_ends(transaction: Transaction, ends: Sequence[SurveyEnded]) -> None:
    """Notes surveys as over."""
    rows = [(each.survey, each.state, each.ended_at) for each in ends]
    await transaction.execute(SQL["insert_survey_ends"], *_columns(rows, 3))


async def suppress_planned(transaction: Transaction, surveys: Sequence[UUID]) -> list[Record]:
    """Ends what is planned of surveys that are over."""
    return await transaction.fetch(SQL["suppress_planned"], list(surveys), transaction.now)


async def claim_deliveries(transaction: Transaction, channel: str, most: int, lease_seconds: float) -> list[Record]:
    """Takes due deliveries."""
    return await transaction.fetch(SQL["claim_deliveries"], transaction.now, channel, most, lease_seconds)


async def find_dead_addresses(transaction: Transaction, addresses: Sequence[UUID]) -> set[UUID]:
    """Which addresses were refused for good."""
    rows = await transaction.fetch(SQL["find_dead_addresses"], list(addresses)) if addresses else []
    return {row["address"] for row in rows}


async def insert_dead_addresses(transaction: Transaction, refused: Sequence[tuple[UUID, str]]) -> None:
    """Notes addresses as refused for good."""
    await transaction.execute(SQL["insert_dead_addresses"], *_columns(refused, 2), transaction.now)


async def release_deliveries(transaction: Transaction, released: Sequence[tuple[UUID, Settlement]]) -> list[Record]:
    """Ends or puts back claimed deliveries."""
    rows = [(delivery, each.state, each.detail, each.next_at) for delivery, each in released]
    return await transaction.fetch(SQL["release_deliveries"], *_columns(rows, 4), transaction.now)


async def begin_attempts(transaction: Transaction, begun: Sequence[tuple[UUID, str, str | None]]) -> None:
    """Records attempts (delivery, provider, Message-ID) that are about to be made."""
    await transaction.execute(SQL["begin_attempts"], *_columns(begun, 3), transaction.now)


async def settle_attempts(transaction: Transaction, settled: Sequence[Settled]) -> list[Record]:
    """Records how attempts ended; returns the deliveries whose fence still was theirs."""
    rows = [
        (
            each.delivery,
            each.fence,
            each.outcome.ending,
            each.settlement.state,
            each.settlement.detail,
            each.settlement.next_at,
            each.outcome.reference,
            each.ask_at,
        )
        for each in settled
    ]
    return await transaction.fetch(SQL["settle_attempts"], *_columns(rows, 8), transaction.now)


async def expire_leases(transaction: Transaction, most: int) -> list[Record]:
    """Makes uncertain what was being sent by workers that are gone."""
    return await transaction.fetch(SQL["expire_leases"], transaction.now, most)


async def close_uncertain(transaction: Transaction, before: datetime, most: int) -> int:
    """Flags as unresolved what stayed uncertain since then."""
    return len(await transaction.fetch(SQL["close_uncertain"], before, most))


async def claim_questions(transaction: Transaction, provider: str, most: int, again_at: datetime) -> list[Record]:
    """Takes uncertain deliveries to ask about; each comes again at `again_at`."""
    return await transaction.fetch(SQL["claim_questions"], transaction.now, most, again_at, provider)


async def lock_deliveries(transaction: Transaction, provider: str, deliveries: Iterable[UUID]) -> list[Record]:
    """Deliveries by our own reference, locked."""
    return await transaction.fetch(SQL["lock_deliveries"], provider, list(deliveries))


async def lock_by_reference(transaction: Transaction, provider: str, references: Iterable[str]) -> list[Record]:
    """Deliveries by the provider's reference, locked."""
    return await transaction.fetch(SQL["lock_by_reference"], provider, list(references))


async def move_deliveries(transaction: Transaction, moved: Sequence[Move]) -> list[Record]:
    """Brings deliveries to new states."""
    return await transaction.fetch(SQL["move_deliveries"], *_columns(moved, 4), transaction.now)


async def insert_receipts(transaction: Transaction, provider: str, receipts: Sequence[Receipt]) -> None:
    """Keeps receipts whose delivery is not known yet."""
    rows = [(each.reference, each.state, each.detail) for each in receipts]
    await transaction.execute(SQL["insert_receipts"], provider, *_columns(rows, 3))


async def find_receipts(transaction: Transaction, references: Sequence[tuple[str, str]]) -> list[Record]:
    """Receipts that came before the provider's answer, by provider and his reference."""
    return await transaction.fetch(SQL["find_receipts"], *_columns(references, 2))


async def forget_receipts(transaction: Transaction) -> None:
    """Drops receipts that never found a delivery."""
    await transaction.execute(SQL["forget_receipts"])


async def find_opt_out_link(transaction: Transaction, token: str) -> Record | None:
    """What stands behind a link."""
    return await transaction.fetchrow(SQL["find_opt_out_link"], token_hash(token))


async def insert_opt_out(transaction: Transaction, person: UUID, scope: str, survey: UUID) -> bool:
    """Notes a refusal; whether it is new."""
    return await transaction.fetchval(SQL["insert_opt_out"], person, scope, survey, transaction.now) is not None


async def list_deliveries(
    transaction: Transaction,
    *,
    survey: UUID | None,
    person: UUID | None,
    state: str | None,
    channel: str | None,
    before: UUID | None,
    most: int,
) -> list[Record]:
    """A page of the delivery log."""
    return await transaction.fetch(SQL["list_deliveries"], survey, person, state, channel, before, most)


async def list_attempts(transaction: Transaction, delivery: UUID) -> list[Record]:
    """The attempts of a delivery."""
    return await transaction.fetch(SQL["list_attempts"], delivery)


async def insert_calls(transaction: Transaction, dues: Sequence[SurveyDue]) -> None:
    """Puts steps on the list of calls and visits."""
    rows = [
        (
            uuid7(),
            each.survey,
            each.step,
            each.channel,
            each.name,
            each.policy,
            each.version,
            each.questionnaire,
            " ".join(each.items),
            each.source,
            each.ticket,
            each.closed_at,
            each.facts.customer,
            each.facts.project,
            each.owner,
            each.contact.person,
            each.contact.sealed,
            each.contact.locale,
            each.contact.timezone,
            each.due_at,
            each.promised_by,
            each.expires_at,
        )
        for each in dues
    ]
    await transaction.execute(SQL["insert_calls"], *_columns(rows, 22), transaction.now)


async def find_calls(transaction: Transaction, dues: Sequence[SurveyDue]) -> list[Record]:
    """The calls and visits of steps."""
    keys = list({Key(each.survey, each.step, each.channel) for each in dues})
    return await transaction.fetch(SQL["find_calls"], *_columns(keys, 3))


async def list_calls(
    transaction: Transaction,
    *,
    after: tuple[datetime, UUID] | None,
    most: int,
    kind: str | None = None,
    issuer: str | None = None,
    owner: str | None = None,
) -> list[Record]:
    """A page of the list of calls and visits."""
    promised_by, call = after or (None, None)
    return await transaction.fetch(SQL["list_calls"], transaction.now, promised_by, call, kind, issuer, owner, most)


async def find_call(transaction: Transaction, call: UUID) -> Record | None:
    """Which of the two it is, and in whose name it is due; None where it never stood on the list."""
    return await transaction.fetchrow(SQL["find_call"], call)


async def claim_call(transaction: Transaction, call: UUID, agent: str, seconds: float) -> Record | None:
    """Takes a call for an agent."""
    return await transaction.fetchrow(SQL["claim_call"], call, agent, transaction.now, seconds)


async def attempt_call(
    transaction: Transaction, call: UUID, agent: str, outcome: CallOutcome, most: int
) -> Record | None:
    """Records what came of a call that the agent holds."""
    return await transaction.fetchrow(
        SQL["attempt_call"],
        call,
        agent,
        outcome.said,
        outcome.ends_as_last,
        outcome.ends_as,
        outcome.next_at,
        most,
        transaction.now,
    )


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    """Rows turned into the arrays that `unnest` takes."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
