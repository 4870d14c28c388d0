"""An SMTP server on this machine that keeps every mail instead of passing it on."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.embedded.message import find_links, read_mail
from services.embedded.store import Message, insert_message
from services.errors import Unavailable
from services.house import House
from services.identifiers import uuid7

log = structlog.get_logger(__name__)

MAIL_BYTES = 10 * 1024 * 1024


@asynccontextmanager
async def open_smtp_sink(house: House, listening: socket.socket) -> AsyncIterator[None]:
    """Takes mails on a bound socket for as long as the block lasts."""
    sink = _Sink(house)

    def greet() -> SMTP:
        return SMTP(sink, hostname="mailbox", ident="Huifang", enable_SMTPUTF8=True, data_size_limit=MAIL_BYTES)

    server = await asyncio.get_running_loop().create_server(greet, sock=listening)
    try:
        yield
    finally:
        server.close()


class _Sink:
    """What aiosmtpd calls when a mail has come in whole."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (its name)
        """Keeps the mail; a 250 means that it is durable."""
        mail = read_mail(envelope.original_content or b"")
        message = Message(
            id=uuid7(),
            channel="email",
            recipient=", ".join(envelope.rcpt_tos),
            sender=mail.sender,
            subject=mail.subject,
            text=mail.text,
            html=mail.html,
            links=find_links(mail.text, mail.html),
            sent_at=self._house.clock.now(),
        )
        try:
            async with self._house.database.transaction("mailbox") as transaction:
                await insert_message(transaction, message, None)
        except Unavailable as error:
            log.warning("mail_not_kept", error=str(error))
            return "451 4.3.0 The mailbox cannot keep it now; try again"
        return "250 2.0.0 Kept"
