"""The only code that calls strangers: mail servers and SMS providers, each by its own protocol, one file each.

Every channel turns whatever happens into an `Outcome`; none of them raises, retries by itself or logs an address.
A `deadline` is a moment of the event loop's clock, which goes on while a process is frozen.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from notifier.channels.aliyun import AliyunChannel
from notifier.channels.receipts import ReceiptCall
from notifier.channels.sms_http import HttpSmsChannel
from notifier.channels.smtp import SmtpChannel, read_smtp_url
from notifier.channels.twilio import TwilioChannel
from notifier.delivery import Outcome, Receipt
from notifier.message import Mail, Text, usable_address
from services.errors import ConfigurationError
from services.settings import Settings


class MailChannel(Protocol):
    """Hands mails over."""

    @property
    def provider(self) -> str:
        """Its name in metrics and the delivery log."""
        ...

    @property
    def connections(self) -> int:
        """How many mails can be on their way at once."""
        ...

    async def send(self, mail: Mail, deadline: float) -> Outcome:
        """Hands one mail over before the deadline."""
        ...


class SmsChannel(Protocol):
    """Hands text messages over, and understands what the provider tells later."""

    @property
    def provider(self) -> str:
        """Its name in settings, metrics, the delivery log and the path of its receipts."""
        ...

    @property
    def connections(self) -> int:
        """How many text messages can be on their way at once."""
        ...

    @property
    def acknowledgement(self) -> Mapping[str, object]:
        """What the provider expects as the answer to a receipt."""
        ...

    async def send(self, text: Text, deadline: float) -> Outcome:
        """Hands one text message over before the deadline."""
        ...

    async def ask(self, reference: str) -> Receipt | None:
        """What became of an uncertain send; `planned` where the provider never had it; None where he cannot tell."""
        ...

    def receipts(self, call: ReceiptCall) -> Sequence[Receipt]:
        """The receipts in a provider's call. Raises `Forged` or `Unreadable`."""
        ...


@dataclass(frozen=True, slots=True)
class Channels:
    """What this installation can send by."""

    mail: MailChannel | None
    sms: SmsChannel | None
    sender: str


@asynccontextmanager
async def open_channels(settings: Settings) -> AsyncIterator[Channels]:
    """The channels that the settings name, for as long as they are needed. Raises `ConfigurationError`."""
    sender = usable_address(settings.mail_from)
    if sender is None:
        raise ConfigurationError("HUIFANG_MAIL_FROM: not a plain e-mail address like satisfaction@example.com")
    async with AsyncExitStack() as stack:
        mail: SmtpChannel | None = None
        if settings.smtp_url is not None:
            mail = await stack.enter_async_context(
                SmtpChannel(read_smtp_url(settings.smtp_url.get_secret_value()), sender)
            )
        sms = _sms_channel(settings)
        if sms is not None:
            await stack.enter_async_context(sms)
        yield Channels(mail, sms, sender)


def _sms_channel(settings: Settings) -> HttpSmsChannel | TwilioChannel | AliyunChannel | None:
    match settings.sms_provider:
        case "http":
            return HttpSmsChannel.of(settings)
        case "twilio":
            return TwilioChannel.of(settings)
        case "aliyun":
            return AliyunChannel.of(settings)
        case "none":
            return None
