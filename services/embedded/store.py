"""The mailbox in PostgreSQL: one function a statement."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from services.database import Record, Transaction
from services.statements import Statements

SQL = Statements("services.embedded")
BEGINNING = 2**62
"""Before every position: where a list that begins with the newest begins."""

Channel = Literal["email", "sms"]


class Message(NamedTuple):
    """A message as it arrived. `sent_at` is business time; an SMS has neither `subject` nor `html`."""

    id: UUID
    channel: Channel
    recipient: str
    sender: str
    subject: str | None
    text: str
    html: str | None
    links: Sequence[str]
    sent_at: datetime


class Heading(NamedTuple):
    """A message in the list; `text` is its beginning."""

    id: UUID
    position: int
    channel: Channel
    recipient: str
    subject: str | None
    text: str
    sent_at: datetime


class Count(NamedTuple):
    """How many messages have arrived."""

    email: int
    sms: int


async def insert_message(transaction: Transaction, message: Message, reference: str | None) -> UUID | None:
    """Keeps a message; None for an SMS whose reference is there already."""
    row = await transaction.fetchrow(
        SQL["insert_message"],
        message.id,
        message.channel,
        message.recipient,
        message.sender,
        message.subject,
        message.text,
        message.html,
        list(message.links),
        reference,
        message.sent_at,
    )
    return row["id"] if row else None


async def find_sms(transaction: Transaction, reference: str) -> UUID | None:
    """The SMS that was sent under a reference."""
    found: UUID | None = await transaction.fetchval(SQL["find_sms"], reference)
    return found


async def list_messages(transaction: Transaction) -> list[Message]:
    """Every message, oldest first."""
    return [Message(*row) for row in await transaction.fetch(SQL["list_messages"])]


async def list_newest(transaction: Transaction, before: int, most: int) -> list[Heading]:
    """A page of the list, newest first: what stands before a position."""
    return [Heading(*row) for row in await transaction.fetch(SQL["list_newest"], before, most)]


async def count_messages(transaction: Transaction) -> Count:
    """How many messages have arrived."""
    (row,) = await transaction.fetch(SQL["count_messages"])
    return Count(*row)


async def find_message(transaction: Transaction, id: UUID) -> Message | None:
    """One message."""
    row: Record | None = await transaction.fetchrow(SQL["find_message"], id)
    return Message(*row) if row else None


async def list_conversation(transaction: Transaction, recipient: str) -> list[Message]:
    """The newest fifty SMS to a number, oldest first."""
    return [Message(*row) for row in await transaction.fetch(SQL["list_conversation"], recipient)]


async def find_survey_link(transaction: Transaction) -> str | None:
    """The link of the newest message that leads to a survey."""
    link: str | None = await transaction.fetchval(SQL["find_survey_link"])
    return link
