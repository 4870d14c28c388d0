"""Twilio Programmable Messaging, API 2010-04-01, with its status callbacks.

Twilio keeps no reference of ours, so the callback's address carries it; since Twilio signs that address, it cannot be
forged, and a callback closes even a send whose answer was lost.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Self
from urllib.parse import parse_qsl

from notifier.channels.http import Answer, HttpChannel
from notifier.channels.receipts import Forged, ReceiptCall, Unreadable, own_reference, same
from notifier.delivery import Outcome, Receipt, State, http_reply
from notifier.message import Text
from services.errors import ConfigurationError
from services.settings import Settings

API = "https://api.twilio.com"

_STATES: dict[str, State] = {
    **dict.fromkeys(("accepted", "scheduled", "queued", "sending", "sent"), "accepted"),
    **dict.fromkeys(("delivered", "read"), "delivered"),
    **dict.fromkeys(("undelivered", "failed", "canceled"), "bounced"),
}
_DEAD = frozenset({21211, 21214, 21217, 21610, 21614})
"""Not a number, not reachable, not a mobile, or its owner answered STOP."""


class TwilioChannel(HttpChannel):
    """Hands text messages over to Twilio."""

    provider = "twilio"
    acknowledgement: Mapping[str, object] = {}

    def __init__(self, *, api: str, account: str, secret: str, sender: str, callback: str) -> None:
        super().__init__()
        self._url = f"{api.rstrip('/')}/2010-04-01/Accounts/{account}/Messages.json"
        self._account = account
        self._secret = secret
        self._sender = {"MessagingServiceSid" if sender.startswith("MG") else "From": sender}
        self._callback = callback

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The channel of an installation. Raises `ConfigurationError`."""
        if not settings.sms_account or settings.sms_secret is None or not settings.sms_sender:
            raise ConfigurationError(
                "HUIFANG_SMS_PROVIDER=twilio needs HUIFANG_SMS_ACCOUNT (account SID), HUIFANG_SMS_SECRET (auth token) "
                "and HUIFANG_SMS_SENDER (a number, or a messaging service SID)"
            )
        return cls(
            api=settings.sms_url or API,
            account=settings.sms_account,
            secret=settings.sms_secret.get_secret_value(),
            sender=settings.sms_sender,
            callback=f"{settings.public_url.rstrip('/')}/hooks/receipts/twilio",
        )

    async def send(self, text: Text, deadline: float) -> Outcome:
        """Hands one text message over. Never raises but when cancelled."""
        answer = await self.request(
            deadline,
            "POST",
            self._url,
            data={
                "To": text.recipient,
                "Body": text.text,
                "StatusCallback": f"{self._callback}?delivery={text.reference}",
                **self._sender,
            },
            auth=(self._account, self._secret),
        )
        if isinstance(answer, Outcome):
            return answer
        if 200 <= answer.status < 300:
            sid = answer.json.get("sid")
            return Outcome("accepted", f"twilio {answer.status}", str(sid) if sid else None)
        return _refused(answer)

    async def ask(self, reference: str) -> Receipt | None:
        """Twilio cannot be asked by a reference of ours; its callbacks close what is uncertain."""
        return None

    def receipts(self, call: ReceiptCall) -> Sequence[Receipt]:
        """The state in a status callback. Raises `Forged` where `x-twilio-signature` does not fit."""
        try:
            parameters = parse_qsl(call.body.decode(), keep_blank_values=True, max_num_fields=100)
        except (UnicodeDecodeError, ValueError) as error:
            raise Unreadable(str(error)) from None
        if not same(call.headers.get("x-twilio-signature", ""), signature(self._secret, call.url, parameters)):
            raise Forged("x-twilio-signature does not fit")
        fields = dict(parameters)
        state = _STATES.get(fields.get("MessageStatus", fields.get("SmsStatus", "")))
        if state is None:
            return []
        detail = f"twilio {fields.get('MessageStatus', '')} {_digits(fields.get('ErrorCode', ''))}".strip()
        return [Receipt(state, detail, own_reference(call.query.get("delivery")), fields.get("MessageSid"))]


def signature(secret: str, url: str, parameters: Sequence[tuple[str, str]]) -> str:
    """X-Twilio-Signature: base64 of HMAC-SHA1 over the address and each parameter's name and value, sorted by name."""
    message = url + "".join(name + value for name, value in sorted(set(parameters)))
    return base64.b64encode(hmac.new(secret.encode(), message.encode(), hashlib.sha1).digest()).decode()


def _refused(answer: Answer) -> Outcome:
    code = answer.json.get("code")
    number = code if isinstance(code, int) else None
    if number in _DEAD:
        return Outcome("permanent", f"twilio {answer.status} {number}", address_dead=True)
    return http_reply("twilio", answer.status, code=str(number or ""), retry_after=answer.retry_after)


def _digits(text: str) -> str:
    return text if text.isascii() and text.isdigit() and len(text) <= 6 else ""
