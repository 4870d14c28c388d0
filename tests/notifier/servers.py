"""Mail servers and SMS gateways of the tests: the real protocols over real sockets, and misbehaviour on demand."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class MailServer:
    """Takes mail; by recipient (or `*`) it answers RCPT and the content with a reply of its own, or misbehaves.

    `drop` breaks the line instead of answering, `hang` never answers, `freeze` stops the whole process for a while.
    """

    port: int = 0
    at_recipient: dict[str, str] = field(default_factory=dict)
    at_content: dict[str, str] = field(default_factory=dict)
    mails: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0
    logins: list[str] = field(default_factory=list)
    servers: list[SMTP] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answers RCPT."""
        reply = self.at_recipient.get(address, "250 OK")
        if reply == "drop":
            _break(server)
        if reply == "freeze":
            time.sleep(1.3)  # noqa: ASYNC251 - the whole process stands still, as after SIGSTOP
            reply = "250 OK"
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Answers the content."""
        [address] = envelope.rcpt_tos
        assert isinstance(envelope.content, bytes)
        self.mails.append((address, envelope.content))
        self.arrived.set()
        reply = self.at_content.get(address, self.at_content.get("*", "250 2.0.0 OK"))
        if reply == "drop":
            _break(server)
        if reply == "hang":
            await self.released.wait()
        return reply

    def break_lines(self) -> None:
        """Closes every connection, as a server does with idle ones."""
        for server in self.servers:
            _break(server)

    @property
    def recipients(self) -> list[str]:
        return [address for address, _ in self.mails]


def _break(server: SMTP) -> None:
    if isinstance(server.transport, asyncio.WriteTransport):
        server.transport.abort()


@asynccontextmanager
async def mail_server(
    *,
    context: ssl.SSLContext | None = None,
    implicit: bool = False,
    passwords: Mapping[str, str] | None = None,
) -> AsyncIterator[MailServer]:
    """A mail server on this machine, with STARTTLS where there is a context, or TLS from the start."""
    sink = MailServer()

    def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        user = data.login.decode()
        sink.logins.append(user)
        good = (passwords or {}).get(user) == data.password.decode()
        return AuthResult(success=good, handled=good)

    def connected() -> SMTP:
        sink.connections += 1
        server = SMTP(
            sink,
            hostname="mail.test",
            tls_context=None if implicit else context,
            require_starttls=context is not None and not implicit,
            authenticator=authenticate if passwords else None,
            auth_required=passwords is not None,
            auth_require_tls=passwords is not None and not implicit,
            loop=asyncio.get_running_loop(),
        )
        sink.servers.append(server)
        return server

    loop = asyncio.get_running_loop()
    listening = await loop.create_server(connected, "127.0.0.1", 0, ssl=context if implicit else None)
    sink.port = listening.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        sink.released.set()
        listening.close()
        sink.break_lines()
        await asyncio.sleep(0)


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """The port of a server that takes connections and never says a word."""
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda reader, writer: writers.append(writer), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()
            await writer.wait_closed()


def certificate(folder: Path, name: str = "localhost") -> tuple[ssl.SSLContext, Path]:
    """A server's context for a certificate of 127.0.0.1 and `name`, and the file by which it is verified."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    address = x509.IPAddress(ip_address("127.0.0.1")) if name == "localhost" else x509.DNSName("elsewhere.test")
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name), address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / f"{name}.pem", folder / f"{name}.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, public


@dataclass(frozen=True)
class Request:
    """A request as a gateway got it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))


@dataclass(frozen=True)
class Reply:
    """A gateway's answer. `drop` breaks the line after the request was read; `hang` never answers."""

    status: int = 200
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    hang: bool = False


@dataclass
class Gateway:
    """An HTTP server that answers by a function."""

    answer: Callable[[Request], Reply]
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        try:
            while request := await _read(reader):
                self.requests.append(request)
                reply = self.answer(request)
                if reply.hang:
                    await self.released.wait()
                if reply.drop or reply.hang:
                    return
                body = json.dumps(reply.json).encode() if reply.json is not None else b""
                lines = {"content-length": str(len(body)), "content-type": "application/json", **reply.headers}
                head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
                writer.write(f"HTTP/1.1 {reply.status} x\r\n{head}\r\n".encode() + body)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Request(method, parts.path, dict(parse_qsl(parts.query)), headers, body)


@asynccontextmanager
async def gateway(answer: Callable[[Request], Reply]) -> AsyncIterator[Gateway]:
    """An HTTP server on this machine."""
    made = Gateway(answer)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        made.released.set()
        server.close()
        await server.wait_closed()
