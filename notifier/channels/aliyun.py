"""Alibaba Cloud SMS (Dysmsapi 2017-05-25), signed by ACS3-HMAC-SHA256, with its SmsReport receipts.

Only approved templates can be sent: the template has one variable, `${link}`, and the policy's wording does not apply.
Receipts carry no signature, so their address carries a key (docs/notifications.md).
"""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Self
from urllib.parse import quote, urlsplit

import msgspec

from notifier.channels.http import Answer, HttpChannel
from notifier.channels.receipts import Forged, ReceiptCall, Unreadable, own_reference, same, sign
from notifier.delivery import Outcome, Receipt, http_reply
from notifier.message import Text
from services.errors import ConfigurationError
from services.settings import Settings

API = "https://dysmsapi.aliyuncs.com"
VERSION = "2017-05-25"

_DEAD = frozenset({"isv.MOBILE_NUMBER_ILLEGAL", "isv.SMS_BLACK_NUMBER", "MOBILE_NOT_ON_SERVICE", "isv.INVALID_NUMBER"})
_LATER = (
    "isv.BUSINESS_LIMIT_CONTROL",
    "isv.DAY_LIMIT_CONTROL",
    "isv.AMOUNT_NOT_ENOUGH",
    "isv.OUT_OF_SERVICE",
    "isv.ACCOUNT_ABNORMAL",
    "isv.PRODUCT_UN_SUBSCRIPT",
    "isp.RAM_PERMISSION_DENY",
    "Throttling",
)
_UNKNOWN = ("isp.SYSTEM_ERROR", "isp.UNKNOWN_ERROR")


class AliyunChannel(HttpChannel):
    """Hands text messages over to Alibaba Cloud."""

    provider = "aliyun"
    acknowledgement: Mapping[str, object] = {"code": 0, "msg": "OK"}

    def __init__(self, *, api: str, account: str, secret: str, signature: str, template: str) -> None:
        super().__init__()
        self._api = api.rstrip("/")
        self._account = account
        self._secret = secret
        self._fixed = {"SignName": signature, "TemplateCode": template}

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The channel of an installation. Raises `ConfigurationError`."""
        account, sender, template = settings.sms_account, settings.sms_sender, settings.sms_template
        if not account or settings.sms_secret is None or not sender or not template:
            raise ConfigurationError(
                "HUIFANG_SMS_PROVIDER=aliyun needs HUIFANG_SMS_ACCOUNT (access key id), HUIFANG_SMS_SECRET, "
                "HUIFANG_SMS_SENDER (approved signature) and HUIFANG_SMS_TEMPLATE (approved template with ${link})"
            )
        secret = settings.sms_secret.get_secret_value()
        return cls(api=settings.sms_url or API, account=account, secret=secret, signature=sender, template=template)

    async def send(self, text: Text, deadline: float) -> Outcome:
        """Hands one text message over. Never raises but when cancelled."""
        parameters = {
            **self._fixed,
            "PhoneNumbers": text.recipient.removeprefix("+86").removeprefix("+"),
            "TemplateParam": json.dumps({"link": text.link}),
            "OutId": text.reference,
        }
        query = canonical_query(parameters)
        headers = signed_headers(
            account=self._account,
            secret=self._secret,
            host=urlsplit(self._api).netloc,
            action="SendSms",
            version=VERSION,
            query=query,
            # The provider compares this with his own clock, so it is the machine's time, never business time.
            date=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            nonce=secrets.token_hex(16),
        )
        answer = await self.request(deadline, "POST", f"{self._api}/?{query}", headers=headers)
        return answer if isinstance(answer, Outcome) else _outcome(answer)

    async def ask(self, reference: str) -> Receipt | None:
        """Not asked: the query needs a BizId, which an ambiguous end does not give. SmsReport tells."""
        return None

    def receipts(self, call: ReceiptCall) -> Sequence[Receipt]:
        """The reports in a call. Raises `Forged` where the key in the address does not fit."""
        if not same(call.query.get("key", ""), receipt_key(self._secret)):
            raise Forged("the key in the address does not fit")
        try:
            reports = _decode(call.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreadable(str(error)) from None
        return [
            Receipt(
                "delivered" if report.success else "bounced",
                f"aliyun {_code(report.err_code)}".strip(),
                own_reference(report.out_id),
                report.biz_id,
            )
            for report in reports
        ]


class _Report(msgspec.Struct, frozen=True):
    success: bool
    err_code: str = ""
    biz_id: str | None = None
    out_id: str | None = None


_decode = msgspec.json.Decoder(list[_Report]).decode


def receipt_key(secret: str) -> str:
    """What stands as `?key=` in the address that the provider's console is given for receipts."""
    return sign(secret, b"receipts")[:32]


def canonical_query(parameters: Mapping[str, str]) -> str:
    """The query, sorted and percent-encoded as RFC 3986 says."""
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(parameters.items()))


def signed_headers(
    *, account: str, secret: str, host: str, action: str, version: str, query: str, date: str, nonce: str
) -> dict[str, str]:
    """The headers of a POST to `/` without a body, signed by ACS3-HMAC-SHA256."""
    empty = hashlib.sha256(b"").hexdigest()
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": empty,
        "x-acs-date": date,
        "x-acs-signature-nonce": nonce,
        "x-acs-version": version,
    }
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"POST\n/\n{query}\n{lines}\n{names}\n{empty}"
    signed = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
    credential = f"ACS3-HMAC-SHA256 Credential={account},SignedHeaders={names},Signature={signature}"
    return {**headers, "authorization": credential}


def _outcome(answer: Answer) -> Outcome:
    """Alibaba answers refusals with 200 and a code; there is no promise that a system error has sent nothing."""
    code = _code(str(answer.json.get("Code", "")))
    detail = f"aliyun {answer.status} {code}".strip()
    if code == "OK":
        number = answer.json.get("BizId")
        return Outcome("accepted", detail, str(number) if number else None)
    if code in _DEAD:
        return Outcome("permanent", detail, address_dead=True)
    if code.startswith(_LATER):
        return Outcome("temporary", detail, retry_after=answer.retry_after)
    if not code or code.startswith(_UNKNOWN):
        refused = http_reply("aliyun", answer.status, retry_after=answer.retry_after)
        return refused if not code else Outcome("uncertain", detail)
    return Outcome("permanent", detail)


def _code(text: str) -> str:
    """A provider's code, cut to what a code may be."""
    return text if text.isascii() and len(text) <= 64 and text.replace(".", "").replace("_", "").isalnum() else ""
