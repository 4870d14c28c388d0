"""The generic SMS gateway: a small HTTP protocol that any provider can be put behind (docs/notifications.md).

POST {url}              {"to", "text", "reference"} → 2xx {"id"}
GET  {url}/{reference}  → 200 {"reference", "status"}          (optional: asked after an ambiguous end)
receipts                → POST /hooks/receipts/http, signed
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Self

import msgspec

from notifier.channels.http import ANSWER_SECONDS, Answer, HttpChannel
from notifier.channels.receipts import Forged, ReceiptCall, Unreadable, own_reference, same, sign
from notifier.delivery import Outcome, Receipt, State, http_reply
from notifier.message import Text
from services.errors import ConfigurationError
from services.settings import Settings

_STATES: dict[str, State] = {"accepted": "accepted", "delivered": "delivered", "failed": "bounced"}


class HttpSmsChannel(HttpChannel):
    """Hands text messages over to a gateway that speaks the generic protocol."""

    provider = "http"
    acknowledgement: Mapping[str, object] = {"status": "ok"}

    def __init__(self, url: str, secret: str) -> None:
        super().__init__()
        self._url = url.rstrip("/")
        self._secret = secret
        self._headers = {"authorization": f"Bearer {secret}"}

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The channel of an installation. Raises `ConfigurationError`."""
        if not settings.sms_url or settings.sms_secret is None:
            raise ConfigurationError("HUIFANG_SMS_PROVIDER=http needs HUIFANG_SMS_URL and HUIFANG_SMS_SECRET")
        return cls(settings.sms_url, settings.sms_secret.get_secret_value())

    async def send(self, text: Text, deadline: float) -> Outcome:
        """Hands one text message over. Never raises but when cancelled."""
        answer = await self.request(
            deadline,
            "POST",
            self._url,
            json={"to": text.recipient, "text": text.text, "reference": text.reference},
            headers={**self._headers, "idempotency-key": text.reference},
        )
        if isinstance(answer, Outcome):
            return answer
        if 200 <= answer.status < 300:
            number = answer.json.get("id")
            return Outcome("accepted", f"http {answer.status}", str(number)[:200] if number is not None else None)
        return _refused(answer)

    async def ask(self, reference: str) -> Receipt | None:
        """Asks the gateway what became of a message; None where it does not tell."""
        deadline = asyncio.get_running_loop().time() + ANSWER_SECONDS
        url = f"{self._url}/{reference}"
        answer = await self.request(deadline, "GET", url, headers=self._headers)
        # Only a gateway that knows the question says `unknown` in a 200; a 404 may come from one that does not.
        if isinstance(answer, Outcome) or answer.status != 200 or answer.json.get("reference") != reference:
            return None
        status = answer.json.get("status")
        state: State | None = "planned" if status == "unknown" else _STATES.get(str(status))
        return Receipt(state, f"http asked: {state}", own_reference(reference)) if state else None

    def receipts(self, call: ReceiptCall) -> Sequence[Receipt]:
        """One receipt `{"reference", "status", "code"}` or a list of them, with `x-huifang-signature: sha256=<hex>`."""
        expected = "sha256=" + sign(self._secret, call.body)
        if not same(call.headers.get("x-huifang-signature", ""), expected):
            raise Forged("x-huifang-signature does not fit")
        try:
            told = _decode(call.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreadable(str(error)) from None
        return [
            Receipt(_STATES[each.status], f"http {each.code}".strip(), own_reference(each.reference), each.id)
            for each in (told if isinstance(told, list) else [told])
            if each.status in _STATES
        ]


class _Told(msgspec.Struct, frozen=True):
    status: str
    reference: str | None = None
    id: str | None = None
    code: str = ""


_decode = msgspec.json.Decoder(list[_Told] | _Told).decode


def _refused(answer: Answer) -> Outcome:
    error = answer.json.get("error")
    if 400 <= answer.status < 500 and error == "invalid_number":
        return Outcome("permanent", f"http {answer.status} invalid_number", address_dead=True)
    return http_reply("http", answer.status, retry_after=answer.retry_after)
