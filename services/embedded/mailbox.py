"""The mailbox: a room that stands in embedded mode only, and shows every message that left as its reader would."""

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from importlib.resources import files
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query
from pydantic import BaseModel
from starlette.responses import HTMLResponse, Response

from services.clock import FastClock
from services.database import Transaction
from services.embedded import mailbox_page as page
from services.embedded import sms_sink, store
from services.embedded.mailbox_page import Language, Listing, Reading, View
from services.embedded.message import open_links_outside
from services.embedded.smtp_sink import open_smtp_sink
from services.errors import Problem
from services.house import House
from services.room import Room
from services.web import HouseOf, TransactionOf

PUBLIC = ("/mailbox", "/mailbox/")
"""Paths without a key: embedded mode listens on this machine only, and the SMS sink has a secret of its own."""

LIST_MOST = 100
_FILES = {"style.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml"}
_PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; frame-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_MAIL_HEADERS = _PAGE_HEADERS | {
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self';"
        " sandbox allow-popups allow-popups-to-escape-sandbox"
    ),
}

router = APIRouter(prefix="/mailbox", include_in_schema=False)
Reads = Annotated[Transaction, TransactionOf("mailbox")]


class SentMessage(BaseModel):
    """A message that left. `links` begins with the survey's own; `sent_at` is business time."""

    id: UUID
    channel: store.Channel
    to: str
    subject: str | None
    text: str
    html: str | None
    links: list[str]
    sent_at: datetime


@asynccontextmanager
async def open_mailbox(house: House, mails: socket.socket) -> AsyncIterator[Room]:
    """The mailbox, taking mails on a bound socket for as long as the block lasts."""
    async with open_smtp_sink(house, mails):
        yield Room(name="mailbox", routers=(router, sms_sink.router))


def language_of(lang: str | None = None, accept_language: Annotated[str, Header()] = "") -> Language:
    """The language of the page."""
    return page.language_of(lang, accept_language)


async def listing(house: HouseOf, transaction: Reads, before: Annotated[int | None, Query(ge=1)] = None) -> Listing:
    """The list that stands on every page."""
    headings = await store.list_newest(transaction, before or store.BEGINNING, LIST_MOST + 1)
    shown = headings[:LIST_MOST]
    return Listing(
        headings=shown,
        count=await store.count_messages(transaction),
        older=shown[-1].position if len(headings) > LIST_MOST else None,
        begins_with_newest=before is None,
        now=house.clock.now(),
        speed=house.clock.speed if isinstance(house.clock, FastClock) else 1,
    )


async def found(id: UUID, transaction: Reads) -> store.Message:
    """The message that the path names. Raises `Problem` 404."""
    message = await store.find_message(transaction, id)
    if message is None:
        raise Problem(404, "not-found", "There is no such message in the mailbox.")
    return message


Speaks = Annotated[Language, Depends(language_of)]
Lists = Annotated[Listing, Depends(listing)]
Found = Annotated[store.Message, Depends(found)]


@router.get("")
async def show_mailbox(language: Speaks, listed: Lists) -> Response:
    """The list."""
    return HTMLResponse(page.show(language, listed, None), headers=_PAGE_HEADERS)


@router.get("/list")
async def show_list(language: Speaks, listed: Lists, chosen: str = "") -> Response:
    """The list alone, for the page's script."""
    return HTMLResponse(page.show_list(language, listed, chosen), headers=_PAGE_HEADERS)


@router.get("/messages")
async def list_messages(transaction: Reads) -> list[SentMessage]:
    """Every message that left, oldest first."""
    return [_sent(message) for message in await store.list_messages(transaction)]


@router.get("/{id:uuid}")
async def show_message(
    message: Found, language: Speaks, listed: Lists, transaction: Reads, view: View = "page"
) -> Response:
    """One message beside the list."""
    conversation: Sequence[store.Message] = ()
    if message.channel == "sms":
        conversation = await store.list_conversation(transaction, message.recipient)
    return HTMLResponse(page.show(language, listed, Reading(message, conversation, view)), headers=_PAGE_HEADERS)


@router.get("/{id:uuid}/html")
async def show_html(message: Found) -> Response:
    """A mail's own HTML, locked in: no script, no request, links in new tabs."""
    if message.html is None:
        raise Problem(404, "no-html", "This message has no HTML part.")
    return HTMLResponse(open_links_outside(message.html), headers=_MAIL_HEADERS)


@router.get("/{name}")
async def give_file(name: str) -> Response:
    """The pages' style sheet, script and icon."""
    if name not in _FILES:
        raise Problem(404, "not-found", "There is no such page in the mailbox.")
    content = files("services.embedded").joinpath("templates", name).read_bytes()
    return Response(content, media_type=_FILES[name], headers={"cache-control": "no-cache"})


def _sent(message: store.Message) -> SentMessage:
    return SentMessage(
        id=message.id,
        channel=message.channel,
        to=message.recipient,
        subject=message.subject,
        text=message.text,
        html=message.html,
        links=list(message.links),
        sent_at=message.sent_at,
    )
