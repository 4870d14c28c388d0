import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from ssl import SSLContext

import pytest

from notifier.channels import smtp
from notifier.channels.smtp import SmtpChannel, read_smtp_url
from notifier.delivery import Outcome
from notifier.message import Mail
from services.errors import ConfigurationError
from tests.notifier.servers import MailServer, certificate, mail_server, silent_server

SENDER = "care@example.com"


def mail(to: str = "li@example.com") -> Mail:
    content = b"To: x\r\nSubject: x\r\n\r\n.a line\r\n..two\r\n"
    return Mail(to, "<1.0@example.com>", content)


@asynccontextmanager
async def channel(port: int, options: str = "tls=none", user: str = "") -> AsyncIterator[SmtpChannel]:
    async with SmtpChannel(read_smtp_url(f"smtp://{user}127.0.0.1:{port}?{options}"), SENDER) as opened:
        yield opened


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as opened:
        yield opened


async def send(through: SmtpChannel, to: str = "li@example.com", seconds: float = 5.0) -> Outcome:
    return await through.send(mail(to), asyncio.get_running_loop().time() + seconds)


async def test_a_mail_arrives_as_it_was_written(server: MailServer) -> None:
    async with channel(server.port) as through:
        outcome = await send(through)
    assert outcome == Outcome("accepted", "smtp answer 250 2.0.0")
    assert server.mails == [("li@example.com", mail().content)]


async def test_connections_are_used_again(server: MailServer) -> None:
    async with channel(server.port, "tls=none&connections=3") as through:
        outcomes = await asyncio.gather(*(send(through, f"p{number}@example.com") for number in range(60)))
    assert {outcome.ending for outcome in outcomes} == {"accepted"}
    assert len(set(server.recipients)) == 60
    assert server.connections == 3


async def test_a_connection_that_the_server_has_closed_is_replaced_without_an_attempt_lost(server: MailServer) -> None:
    async with channel(server.port) as through:
        await send(through)
        server.break_lines()
        assert (await send(through)).ending == "accepted"
    assert (server.connections, len(server.mails)) == (2, 2)


async def test_an_old_connection_is_not_trusted(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "IDLE_SECONDS", 0.0)
    async with channel(server.port) as through:
        await send(through)
        await send(through)
    assert server.connections == 2


@pytest.mark.parametrize(
    ("reply", "ending", "dead"),
    [
        ("550 5.1.1 <li@example.com> is unknown", "permanent", True),
        ("450 4.2.0 greylisted", "temporary", False),
        ("421 4.3.2 closing", "temporary", False),
        ("drop", "temporary", False),
    ],
)
async def test_a_refused_recipient(server: MailServer, reply: str, ending: str, dead: bool) -> None:
    server.at_recipient["li@example.com"] = reply
    async with channel(server.port) as through:
        outcome = await send(through)
        assert (await send(through, "wang@example.com")).ending == "accepted"
    assert (outcome.ending, outcome.address_dead) == (ending, dead)
    assert "li@" not in outcome.detail
    assert server.recipients == ["wang@example.com"]


@pytest.mark.parametrize(
    ("reply", "ending"),
    [("554 5.7.1 spam", "permanent"), ("451 4.3.0 later", "temporary"), ("drop", "uncertain"), ("hang", "uncertain")],
)
async def test_how_the_content_may_end(server: MailServer, reply: str, ending: str) -> None:
    server.at_content["li@example.com"] = reply
    async with channel(server.port) as through:
        assert (await send(through, seconds=1.6)).ending == ending
        assert (await send(through, "wang@example.com")).ending == "accepted"
    assert server.recipients == ["li@example.com", "wang@example.com"]


async def test_an_answer_that_is_none_is_uncertain(server: MailServer) -> None:
    server.at_content["li@example.com"] = "what?"
    async with channel(server.port) as through:
        assert (await send(through)).ending == "uncertain"


async def test_a_cancelled_send_leaves_no_half_used_connection(server: MailServer) -> None:
    server.at_content["li@example.com"] = "hang"
    async with channel(server.port, "tls=none&connections=1") as through:
        sending = asyncio.create_task(send(through))
        await server.arrived.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert (await send(through, "wang@example.com")).ending == "accepted"


async def test_no_server_is_a_definite_failure() -> None:
    async with mail_server() as gone:
        port = gone.port
    async with channel(port) as through:
        assert await send(through) == Outcome("temporary", "smtp connect ConnectionRefusedError")


async def test_a_server_that_says_nothing_is_a_definite_failure() -> None:
    async with silent_server() as port, channel(port) as through:
        assert (await send(through, seconds=1.3)).ending == "temporary"


async def test_without_time_nothing_is_begun(server: MailServer) -> None:
    server.at_content["li@example.com"] = "hang"
    async with channel(server.port, "tls=none&connections=1") as through:
        first = asyncio.create_task(send(through, seconds=2.5))
        second = asyncio.create_task(send(through, "wang@example.com", seconds=1.1))
        assert await second == Outcome("unstarted", "smtp no time")
        assert (await first).ending == "uncertain"
    assert server.recipients == ["li@example.com"]


async def test_a_worker_that_was_frozen_does_not_write_the_content(server: MailServer) -> None:
    server.at_recipient["li@example.com"] = "freeze"
    async with channel(server.port) as through:
        assert await send(through, seconds=1.7) == Outcome("temporary", "smtp content too late")
    assert not server.mails


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[SSLContext, Path]:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
async def test_tls_is_verified(mode: str, tls: tuple[SSLContext, Path]) -> None:
    context, authority = tls
    async with mail_server(context=context, implicit=mode == "implicit") as server:
        async with channel(server.port, f"tls={mode}&ca={authority}") as through:
            assert (await send(through)).ending == "accepted"
        async with channel(server.port, f"tls={mode}") as through:
            stranger = await send(through)
    assert stranger == Outcome("temporary", "smtp connect SSLCertVerificationError")
    assert len(server.mails) == 1


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    context, authority = certificate(tmp_path, "mail.elsewhere.test")
    async with mail_server(context=context) as server, channel(server.port, f"tls=starttls&ca={authority}") as through:
        assert await send(through) == Outcome("temporary", "smtp connect SSLCertVerificationError")


async def test_without_the_wanted_tls_nothing_is_sent(server: MailServer) -> None:
    async with channel(server.port, "tls=starttls") as through:
        assert (await send(through)).ending == "temporary"
    assert not server.mails


async def test_logging_in(tls: tuple[SSLContext, Path]) -> None:
    context, authority = tls
    options = f"tls=starttls&ca={authority}"
    async with mail_server(context=context, passwords={"u@x": "p:w/d"}) as server:
        async with channel(server.port, options, "u%40x:p%3Aw%2Fd@") as through:
            assert (await send(through)).ending == "accepted"
        async with channel(server.port, options, "u%40x:wrong@") as through:
            refused = await send(through)
    assert (refused.ending, refused.detail) == ("temporary", "smtp login 535 5.7.8")
    assert set(server.logins) == {"u@x"}


def test_settings_are_read_from_a_url() -> None:
    server = read_smtp_url("smtp://user:p%40ss@mail.example.com?connections=4&ca=/etc/ca.pem")
    assert (server.host, server.port, server.tls, server.connections) == ("mail.example.com", 587, "starttls", 4)
    assert (server.user, server.password, str(server.ca_file)) == ("user", "p@ss", "/etc/ca.pem")
    assert read_smtp_url("smtp://h?tls=implicit").port == 465
    assert read_smtp_url("smtp://h:2525?tls=none").port == 2525


@pytest.mark.parametrize(
    "url", ["http://h", "smtp://", "smtp://h?tls=maybe", "smtp://h?color=red", "smtp://h:x", "smtp://h?connections=0"]
)
def test_a_wrong_url_is_named_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="HUIFANG_SMTP_URL") as caught:
        read_smtp_url(url.replace("//h", "//user:secret@h"))
    assert "secret" not in str(caught.value)


def test_an_authority_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="authority"):
        SmtpChannel(read_smtp_url(f"smtp://h?ca={tmp_path}/none.pem"), SENDER)
