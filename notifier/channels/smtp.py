"""Mail by SMTP (RFC 5321) over a pool of connections that are used again.

The line between definite and ambiguous is the moment in which the content is written: a failure before it is definite,
a line that breaks or falls silent after it is `uncertain`, because the server may have taken the mail.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPResponse,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from notifier.delivery import Outcome, Stage, smtp_reply
from notifier.message import Mail
from services.errors import ConfigurationError

Tls = Literal["none", "starttls", "implicit"]

CONNECT_SECONDS = 8.0
RESET_SECONDS = 2.0
CLOSING = 421
IDLE_SECONDS = 30.0
MAILS_PER_CONNECTION = 1_000
QUIT_SECONDS = 1.0
RESERVE_SECONDS = 1.0
"""Less than this before the deadline, nothing new is begun."""

_TLS: dict[str, tuple[Tls, int]] = {
    "none": ("none", 25),
    "starttls": ("starttls", 587),
    "implicit": ("implicit", 465),
}
_TROUBLE = (SMTPException, OSError, TimeoutError, ValueError)


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mails are handed over, and how."""

    host: str
    port: int
    tls: Tls
    user: str | None = None
    password: str | None = None
    ca_file: Path | None = None
    connections: int = 8


def read_smtp_url(url: str) -> MailServer:
    """Reads `smtp://user:password@host:port?tls=none|starttls|implicit&connections=8&ca=/path/of/authority.pem`.

    Without `tls` it is `starttls`, so that a password or an address never goes out in clear by oversight.
    Raises `ConfigurationError`, which does not repeat the URL.
    """
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        mode = options.pop("tls", "starttls")
        connections = int(options.pop("connections", "8"))
        ca_file = options.pop("ca", None)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"HUIFANG_SMTP_URL: {error}") from None
    if parts.scheme != "smtp" or not parts.hostname:
        raise ConfigurationError("HUIFANG_SMTP_URL: write it like smtp://user:password@host:587?tls=starttls")
    if mode not in _TLS:
        raise ConfigurationError("HUIFANG_SMTP_URL: `tls` is none, starttls or implicit")
    if options or not 1 <= connections <= 100:
        raise ConfigurationError("HUIFANG_SMTP_URL: the options are `tls`, `connections` (1 to 100) and `ca`")
    tls, usual_port = _TLS[mode]
    return MailServer(
        host=parts.hostname,
        port=port or usual_port,
        tls=tls,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        ca_file=Path(ca_file) if ca_file else None,
        connections=connections,
    )


class _Connection:
    """One connection, logged in, with what the pool needs to know of it."""

    def __init__(self, client: SMTP) -> None:
        self.client = client
        self.mails = 0
        self.idle_since = 0.0

    def usable(self, now: float) -> bool:
        young = self.mails < MAILS_PER_CONNECTION and now - self.idle_since < IDLE_SECONDS
        return self.client.is_connected and young


class SmtpChannel:
    """Hands mails over to one server."""

    provider = "smtp"

    def __init__(self, server: MailServer, sender: str) -> None:
        self.connections = server.connections
        self._server = server
        self._sender = sender
        self._context = _tls_context(server)
        self._places = asyncio.Semaphore(server.connections)
        self._idle: list[_Connection] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(_part_with(connection) for connection in self._idle))
        self._idle.clear()

    async def send(self, mail: Mail, deadline: float) -> Outcome:
        """Hands one mail over. Never raises but when cancelled."""
        try:
            async with asyncio.timeout_at(deadline - RESERVE_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            return Outcome("unstarted", "smtp no time")
        try:
            return await self._send(mail, deadline)
        finally:
            self._places.release()

    async def _send(self, mail: Mail, deadline: float) -> Outcome:
        now = asyncio.get_running_loop().time
        while self._idle:
            connection = self._idle.pop()
            if not connection.usable(now()):
                connection.client.close()
                continue
            outcome = await self._hand_over(connection, mail, deadline)
            if outcome.detail != _STALE:
                return outcome
        try:
            connection = _Connection(await self._connect(deadline))
        except SMTPResponseException as error:
            stage: Stage = "login" if isinstance(error, SMTPAuthenticationError) else "connect"
            return smtp_reply(stage, error.code, error.message)
        except _TROUBLE as error:
            return Outcome("temporary", f"smtp connect {_name(error)}")
        return await self._hand_over(connection, mail, deadline)

    async def _connect(self, deadline: float) -> SMTP:
        server = self._server
        client = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            local_hostname=self._sender.rpartition("@")[2],
            timeout=CONNECT_SECONDS,
            use_tls=server.tls == "implicit",
            start_tls=server.tls == "starttls",
            tls_context=self._context,
        )
        async with asyncio.timeout_at(deadline - RESERVE_SECONDS):
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        return client

    async def _hand_over(self, connection: _Connection, mail: Mail, deadline: float) -> Outcome:
        """Hands the mail over on a connection, and puts that back into the pool where it is still in order."""
        async with _closed_on_trouble(connection.client):
            outcome = await _Handover(connection.client, self._sender, mail, deadline).run(fresh=connection.mails == 0)
        connection.mails += 1
        if connection.client.is_connected:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        return outcome


_STALE = "smtp stale connection"


class _Handover:
    """One mail on its way through one connection: one deadline for all its steps, and one for the farewell."""

    def __init__(self, client: SMTP, sender: str, mail: Mail, deadline: float) -> None:
        self._client = client
        self._sender = sender
        self._mail = mail
        self._deadline = deadline
        self._stage: Stage = "sender"

    async def run(self, *, fresh: bool) -> Outcome:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._steps()
        except SMTPException as error:
            malformed = isinstance(error, SMTPResponseException)
            return self._broken("malformed" if malformed else _name(error), stale=not fresh and not malformed)
        except _TROUBLE as error:
            return self._broken(_name(error), stale=False)

    async def _steps(self) -> Outcome:
        """MAIL, RCPT, DATA and the content. The addresses are usable ones, so they need no further look."""
        answer = await self._say(b"MAIL FROM:<%b>\r\n" % self._sender.encode("ascii"))
        if answer.code == 250:
            self._stage = "recipient"
            answer = await self._say(b"RCPT TO:<%b>\r\n" % self._mail.recipient.encode("ascii"))
        if self._stage == "recipient" and answer.code in (250, 251):
            self._stage = "content"
            answer = await self._say(b"DATA\r\n")
            if answer.code == 354:
                return await self._content()
        return await self._refused(answer.code, answer.message)

    async def _say(self, line: bytes) -> SMTPResponse:
        """The answer to one line; straight through the protocol, which halves the price of a mail."""
        protocol = self._client.protocol
        if protocol is None:
            raise SMTPServerDisconnected("closed")
        protocol.write(line)
        answer = await protocol.read_response()
        if answer.code == CLOSING:
            self._client.close()
        return answer

    async def _content(self) -> Outcome:
        left = self._deadline - asyncio.get_running_loop().time()
        # A process that was frozen for longer than its lease wakes up here too late: somebody else decides by now.
        if left <= RESERVE_SECONDS / 2 or not self._client.is_connected:
            self._client.close()
            return Outcome("temporary", "smtp content too late")
        content = self._mail.content.replace(b"\r\n.", b"\r\n..") + b".\r\n"
        self._stage = "answer"
        answer = await self._say(content)
        return smtp_reply("answer", answer.code, answer.message)

    async def _refused(self, code: int, message: str) -> Outcome:
        """The reply's meaning; the connection is reset for the next mail, or closed."""
        try:
            if self._client.is_connected:
                await self._client.rset(timeout=RESET_SECONDS)
        except _TROUBLE:
            self._client.close()
        return smtp_reply(self._stage, code, message)

    def _broken(self, how: str, *, stale: bool) -> Outcome:
        """The line broke or fell silent. `stale`: it may have been closed while idle, before anything was said."""
        self._client.close()
        if self._stage == "answer":
            return Outcome("uncertain", f"smtp answer {how}")
        if self._stage == "sender" and stale:
            return Outcome("unstarted", _STALE)
        return Outcome("temporary", f"smtp {self._stage} {how}")


@asynccontextmanager
async def _closed_on_trouble(client: SMTP) -> AsyncIterator[None]:
    """A connection that was left in the middle of something (a cancelled task) is never used again."""
    try:
        yield
    except BaseException:
        client.close()
        raise


async def _part_with(connection: _Connection) -> None:
    with suppress(*_TROUBLE):
        await connection.client.quit(timeout=QUIT_SECONDS)
    connection.client.close()


def _tls_context(server: MailServer) -> ssl.SSLContext | None:
    """A context that verifies certificate and host name; None where no TLS is wanted."""
    if server.tls == "none":
        return None
    try:
        return ssl.create_default_context(cafile=server.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"HUIFANG_SMTP_URL: cannot read the authority file: {error}") from None


def _name(error: BaseException) -> str:
    """What went wrong as one word: an error's text may quote the address."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return type(cause).__name__
