"""What the notifier does on hearing events, and what it says."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from notifier import store
from notifier.delivery import UNCERTAIN_FOR, Receipt, State, after_receipt
from notifier.store import Key, Move, OptOutLink
from services import metrics
from services.contracts.deliveries import DeliveryOutcome, DeliveryReported
from services.contracts.envelope import Event
from services.contracts.policy import read_policy
from services.contracts.surveys import PolicyApproved, SurveyDue, SurveyEnded
from services.database import Record, Transaction
from services.house import House
from services.room import Handler
from services.tick import Tick

MOST = 500
NO_PROVIDER = "none"
DESK = "desk"
_CALL_OUTCOMES: dict[str | None, DeliveryOutcome] = {None: "listed", "talked": "delivered"}
LISTED = frozenset({"call", "visit"})
"""Channels on which people act, not machines."""


async def keep_policies(house: House, transaction: Transaction, events: Sequence[PolicyApproved]) -> None:
    """Keeps a copy of each version, for the wording of its surveys' messages; what cannot be read is put aside."""
    readable, issuers = [], []
    for event in events:
        try:
            policy = read_policy(event.document)
        except ValueError as error:
            transaction.put_aside(event, "unreadable", str(error))
        else:
            readable.append(event)
            issuers += [(event.policy, event.version, name, survey.by) for name, survey in policy.surveys.items()]
    if readable:
        await store.insert_policies(transaction, readable)
        await store.insert_issuers(transaction, issuers)


async def plan_deliveries(house: House, transaction: Transaction, events: Sequence[SurveyDue]) -> None:
    """Plans what is new; of what was heard before, says its outcome again, where it has one."""
    messages = [event for event in events if event.channel not in LISTED]
    calls = [event for event in events if event.channel in LISTED]
    links = {event.survey: OptOutLink(house.seal.link_token("opt-out", event.survey), event) for event in events}
    await store.insert_opt_out_links(transaction, list(links.values()))
    if messages:
        new = await store.insert_deliveries(transaction, messages)
        heard_again = {Key(event.survey, event.step, event.channel) for event in messages} - new
        if heard_again:
            report(transaction, await store.find_reportable(transaction, list(heard_again)))
    if calls:
        await store.insert_calls(transaction, calls)
        for call in await store.find_calls(transaction, calls):
            report_call(transaction, call, call["listed_at"])


async def end_surveys(house: House, transaction: Transaction, events: Sequence[SurveyEnded]) -> None:
    """Sends nothing more for surveys that are over."""
    await store.insert_survey_ends(transaction, events)
    suppressed = await store.suppress_planned(transaction, [event.survey for event in events])
    count(transaction, suppressed)
    report(transaction, suppressed)


async def apply_receipts(transaction: Transaction, provider: str, receipts: Sequence[Receipt]) -> int:
    """Brings deliveries to where a provider's receipts say they are, and returns how many moved.

    Receipts that no delivery is known for are kept: the provider may be faster than the record of his own answer.
    """
    ids = {each.delivery for each in receipts if each.delivery}
    rows = await store.lock_deliveries(transaction, provider, ids) if ids else []
    known = {row["id"] for row in rows}
    left = [each for each in receipts if each.delivery not in known and each.reference]
    if left:
        rows += await store.lock_by_reference(transaction, provider, {str(each.reference) for each in left})
        references = {row["reference"] for row in rows}
        await store.insert_receipts(transaction, provider, [each for each in left if each.reference not in references])
    moves = [move for row in rows if (move := _move(row, receipts, transaction.now))]
    moved = await store.move_deliveries(transaction, moves) if moves else []
    count(transaction, moved)
    report(transaction, moved)
    return len(moved)


def _move(row: Record, receipts: Sequence[Receipt], now: datetime) -> Move | None:
    """Where the receipts that concern a delivery bring it; None where it stays."""
    was: State = row["state"]
    state, detail = was, ""
    for receipt in receipts:
        concerns = receipt.delivery == row["id"] or (receipt.reference and receipt.reference == row["reference"])
        if concerns and (after := after_receipt(state, receipt.state)) != state:
            state, detail = after, receipt.detail
    return (row["id"], state, detail, now if state == "planned" else None) if state != was else None


def told(rows: Iterable[Record]) -> list[Receipt]:
    """Stored receipts as they were told."""
    return [Receipt(row["state"], row["detail"], None, row["reference"]) for row in rows]


def report(transaction: Transaction, deliveries: Iterable[Record]) -> None:
    """Says how deliveries went, those that go on left out."""
    for row in deliveries:
        if row["state"] not in ("planned", "claimed", "sending"):
            transaction.say(
                DeliveryReported(
                    survey=row["survey"],
                    step=row["step"],
                    channel=row["channel"],
                    provider=row["provider"] or NO_PROVIDER,
                    outcome=row["state"],
                    reported_at=row["moved_at"],
                    detail=row["detail"],
                )
            )


def report_call(transaction: Transaction, call: Record, at: datetime) -> None:
    """Says that a step stands on the list of calls and visits, or how its call or visit ended."""
    transaction.say(
        DeliveryReported(
            survey=call["survey"],
            step=call["step"],
            channel=call["channel"],
            provider=DESK,
            outcome=_CALL_OUTCOMES.get(call["outcome"], "failed"),
            reported_at=at,
            detail=call["outcome"],
        )
    )


def count(transaction: Transaction, deliveries: Iterable[Record]) -> None:
    """Counts the states that deliveries have newly reached, those that go on left out."""
    for row in deliveries:
        if row["state"] not in ("planned", "claimed", "sending"):
            provider = row["provider"] or NO_PROVIDER
            transaction.after_commit(metrics.DELIVERIES.labels(row["channel"], provider, row["state"]).inc)
            if row["state"] == "uncertain":
                transaction.after_commit(metrics.UNCERTAIN.labels(row["channel"]).inc)


HANDLERS: Mapping[type[Event], Handler] = {
    PolicyApproved: keep_policies,
    SurveyDue: plan_deliveries,
    SurveyEnded: end_surveys,
}


async def expire_leases(house: House, transaction: Transaction) -> int:
    """Takes over from workers that are gone or frozen: what they were sending is uncertain."""
    expired = await store.expire_leases(transaction, MOST)
    count(transaction, expired)
    report(transaction, expired)
    return len(expired)


async def close_uncertain(house: House, transaction: Transaction) -> int:
    """Flags what no receipt has cleared up in a day."""
    return await store.close_uncertain(transaction, transaction.now - UNCERTAIN_FOR, MOST)


async def forget_receipts(house: House, transaction: Transaction) -> int:
    """Drops receipts that never found their delivery."""
    await store.forget_receipts(transaction)
    return 0


TICKS = (
    Tick(name="expire_leases", every=2.0, run=expire_leases),
    Tick(name="close_uncertain", every=60.0, run=close_uncertain),
    Tick(name="forget_receipts", every=3600.0, run=forget_receipts),
)
