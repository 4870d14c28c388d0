"""An SMS gateway on this machine that keeps every message: the other end of the notifier's generic HTTP protocol."""

import hmac
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header
from pydantic import BaseModel, Field

from services.database import Transaction
from services.embedded import store
from services.embedded.message import find_links
from services.errors import Problem
from services.identifiers import uuid7
from services.seal import Seal
from services.web import HouseOf, TransactionOf

SMS_CHARACTERS = 2000
INSTALLATION = UUID(int=0)


def gateway_path(seal: Seal) -> str:
    """Where the gateway listens: a path that cannot be guessed, the same after every start."""
    return f"/mailbox/sms/{seal.link_token('sms-sink-path', INSTALLATION)}"


def gateway_secret(seal: Seal) -> str:
    """The bearer secret that it asks for."""
    return seal.link_token("sms-sink-secret", INSTALLATION)


async def check(house: HouseOf, token: str, authorization: Annotated[str, Header()] = "") -> None:
    """Refuses who knows the path or the secret not. Raises `Problem`."""
    given = (f"/mailbox/sms/{token}", authorization)
    expected = (gateway_path(house.seal), f"Bearer {gateway_secret(house.seal)}")
    if not all(hmac.compare_digest(a.encode(), b.encode()) for a, b in zip(given, expected, strict=True)):
        raise Problem(401, "no-key", "This gateway needs its own secret as bearer key.")


class TextToSend(BaseModel):
    """An SMS as the protocol hands it over; `reference` is the sender's own and sends once."""

    to: str = Field(min_length=3, max_length=40)
    text: str = Field(min_length=1, max_length=SMS_CHARACTERS)
    reference: str = Field(min_length=1, max_length=100)


router = APIRouter(prefix="/mailbox/sms/{token}", include_in_schema=False, dependencies=[Depends(check)])
Kept = Annotated[Transaction, TransactionOf("mailbox")]


@router.post("")
async def send(text: TextToSend, house: HouseOf, transaction: Kept) -> dict[str, str]:
    """Keeps an SMS; the same reference again gets the same answer, and nothing more is kept."""
    message = store.Message(
        id=uuid7(),
        channel="sms",
        recipient=text.to,
        sender="",
        subject=None,
        text=text.text,
        html=None,
        links=find_links(text.text, None),
        sent_at=house.clock.now(),
    )
    kept = await store.insert_message(transaction, message, text.reference)
    return {"id": str(kept or await store.find_sms(transaction, text.reference))}


@router.get("/{reference}")
async def ask(reference: str, transaction: Kept) -> dict[str, str]:
    """What became of an SMS."""
    known = await store.find_sms(transaction, reference)
    return {"reference": reference, "status": "delivered" if known else "unknown"}
