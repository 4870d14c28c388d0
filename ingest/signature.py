"""Who sent a webhook: one verifier for every way in which ITSM systems sign.

A scheme is a few ways, each a line of data: which header carries the signature, how it is computed and encoded, what
text is signed, and when that was. The ways of `connectors` are all here: (a) prefixed HMAC of the body, (b) HMAC of
timestamp and body, (c) of body and timestamp, (d) of id, timestamp and body, (e) the shared token itself, (f) a bearer.
"""

import base64
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

MOST_SIGNATURES = 8
LEAST_SECRET_BYTES = 24
CHALLENGE = b"validate_cra_challenge"

_UNIX_SECONDS = re.compile(r"[0-9]{1,11}")
_PART = re.compile(r"\{(id|timestamp|body)\}")
_WHSEC = "whsec_"


class SignatureError(Exception):
    """The sender is not who he should be. What exactly was wrong is nobody's business outside: the answer is 401."""


class Verified(NamedTuple):
    """The sender knows the secret. `delivery` is his id of this delivery, where the scheme has one."""

    delivery: str | None


@dataclass(frozen=True)
class Way:
    """One way to sign. Header names are in lower case.

    `text` is the signed text made of `{id}`, `{timestamp}` and `{body}`; None means that the header holds the secret
    itself. `prefixes` are what may stand before each signature; "" is allowed to. `window` is how old and how far
    ahead a timestamp may be; None accepts any, so that only what was remembered protects against a replay.
    """

    header: str
    text: str | None = "{body}"
    algorithm: Literal["sha256", "sha1"] = "sha256"
    encodings: tuple[Literal["hex", "base64"], ...] = ("hex",)
    prefixes: tuple[str, ...] = ("",)
    between: str | None = None
    timestamp: str | None = None
    written: Literal["unix", "iso"] = "unix"
    window: tuple[timedelta, timedelta] | None = None
    delivery: str | None = None
    key_is_base64: bool = False


FIVE_MINUTES = timedelta(minutes=5)
STANDARD = Way(
    header="webhook-signature",
    text="{id}.{timestamp}.{body}",
    encodings=("base64",),
    prefixes=("v1,",),
    between=" ",
    timestamp="webhook-timestamp",
    window=(FIVE_MINUTES, FIVE_MINUTES),
    delivery="webhook-id",
    key_is_base64=True,
)


def _hub(delivery: str | None = None) -> tuple[Way, ...]:
    return tuple(
        Way(header=header, prefixes=("sha256=",), delivery=delivery)
        for header in ("x-hub-signature", "x-hub-signature-256")
    )


def _token(header: str, delivery: str | None = None, prefixes: tuple[str, ...] = ("",)) -> Way:
    return Way(header=header, text=None, prefixes=prefixes, delivery=delivery)


ZENDESK = Way(
    header="x-zendesk-webhook-signature",
    text="{timestamp}{body}",
    encodings=("base64",),
    timestamp="x-zendesk-webhook-signature-timestamp",
    written="iso",
    delivery="x-zendesk-webhook-invocation-id",
)
# The timestamp is when GLPI queued the webhook, and its resends keep it.
GLPI = Way(
    header="x-glpi-signature",
    text="{body}{timestamp}",
    timestamp="x-glpi-timestamp",
    window=(timedelta(days=7), FIVE_MINUTES),
)
ZAMMAD = Way(header="x-hub-signature", algorithm="sha1", prefixes=("sha1=",), delivery="x-zammad-delivery")
# What a ServiceNow script can make: CertificateEncryption.generateMac(…) gives base64.
HUIFANG = Way(
    header="x-huifang-signature",
    encodings=("base64", "hex"),
    prefixes=("sha256=", ""),
    delivery="x-huifang-delivery",
)

SCHEMES: Mapping[str, tuple[Way, ...]] = {
    "generic": (STANDARD, *_hub("x-huifang-delivery"), HUIFANG),
    "jira": _hub("x-atlassian-webhook-identifier"),
    "servicenow": (HUIFANG, STANDARD, *_hub()),
    "zendesk": (ZENDESK, *_hub()),
    "zammad": (ZAMMAD, *_hub("x-zammad-delivery")),
    "glpi": (GLPI, *_hub()),
    "standard-webhooks": (STANDARD,),
    "pagerduty": (Way(header="x-pagerduty-signature", prefixes=("v1=",), between=","),),
    "redmine": (Way(header="x-redmine-signature-256", prefixes=("sha256=",)),),
    "gitlab": (STANDARD, _token("x-gitlab-token", "x-gitlab-event-uuid")),
    "token": (_token("x-huifang-token", "x-huifang-delivery"),),
    "bearer": (_token("authorization", "x-huifang-delivery", ("Bearer ",)),),
}
"""How each kind of source signs; `huifang source add --scheme` takes these names."""


def verify(scheme: str, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> Verified:
    """Checks the raw body against every secret that is valid now (several while one replaces another).

    `now` is the time outside, by which a sender's clock goes. Raises `SignatureError`.
    """
    for way in SCHEMES[scheme]:
        value = headers.get(way.header)
        if value is not None and _verify(way, value, headers, body, secrets, now):
            return Verified(headers.get(way.delivery) if way.delivery else None)
    raise SignatureError


def answer_challenge(token: str, secrets: Sequence[str]) -> str:
    """What GLPI wants to hear to its `crc_token` before it sends anything. Raises `SignatureError`.

    Only the token that GLPI itself would send is answered: signing what anybody asks would forge webhooks.
    """
    for secret in secrets:
        expected = hmac.digest(secret.encode(), CHALLENGE, "sha256").hex()
        if hmac.compare_digest(expected.encode(), token.encode(errors="replace")):
            return hmac.digest(secret.encode(), token.encode(), "sha256").hex()
    raise SignatureError


def challenges(scheme: str) -> bool:
    """Whether senders of this scheme ask for proof that the receiver knows the secret, too."""
    return GLPI in SCHEMES[scheme]


def is_long_enough(secret: str) -> bool:
    """Whether a secret is one: at least 24 bytes."""
    return len(secret.encode()) >= LEAST_SECRET_BYTES


def _verify(
    way: Way, value: str, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
) -> bool:
    given = list(_signatures(way, value))
    if way.text is None:
        return _match([secret.encode() for secret in secrets], [text.encode() for text in given])
    stamp = headers.get(way.timestamp, "") if way.timestamp else ""
    delivery = headers.get(way.delivery, "") if way.delivery else ""
    if (way.timestamp and not _is_timely(way, stamp, now)) or ("{id}" in way.text and not delivery):
        return False
    signed = _signed_text(way.text, {"id": delivery.encode(), "timestamp": stamp.encode(), "body": body})
    found = [digest for text in given for decode in way.encodings if (digest := _DECODERS[decode](text))]
    wanted = [hmac.digest(key, signed, way.algorithm) for secret in secrets for key in _keys(way, secret)]
    return _match(wanted, found)


def _signatures(way: Way, value: str) -> Iterable[str]:
    """The signatures in a header that have the way's prefix, without it."""
    parts = value.split(way.between) if way.between else [value]
    for part in parts[:MOST_SIGNATURES]:
        prefix = next((prefix for prefix in way.prefixes if part.strip().startswith(prefix)), None)
        if prefix is not None:
            yield part.strip().removeprefix(prefix)


def _signed_text(template: str, parts: Mapping[str, bytes]) -> bytes:
    pieces = _PART.split(template)
    return b"".join(parts[piece] if place % 2 else piece.encode() for place, piece in enumerate(pieces))


def _keys(way: Way, secret: str) -> list[bytes]:
    """The HMAC keys that a sender may have made of the secret's text.

    Text is used as it stands. `whsec_…` is base64 to whoever knows Standard Webhooks, and text to whoever does not; the
    libraries of Standard Webhooks take any text for base64.
    """
    keys = [secret.encode()]
    if way.key_is_base64 or secret.startswith(_WHSEC):
        decoded = _from_base64(secret.removeprefix(_WHSEC))
        keys = [decoded, *keys] if decoded else keys
    return keys


def _is_timely(way: Way, stamp: str, now: datetime) -> bool:
    at = _read_unix(stamp) if way.written == "unix" else _read_iso(stamp)
    if at is None:
        return False
    if way.window is None:
        return True
    past, ahead = way.window
    return now - past <= at <= now + ahead


def _read_unix(stamp: str) -> datetime | None:
    return datetime.fromtimestamp(int(stamp), UTC) if _UNIX_SECONDS.fullmatch(stamp) else None


def _read_iso(stamp: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _from_hex(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None


def _from_base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def _match(wanted: Sequence[bytes], found: Sequence[bytes]) -> bool:
    # Every pair is compared, whether or not an earlier one fits.
    return sum(hmac.compare_digest(one, other) for one in wanted for other in found) > 0


_DECODERS: Mapping[str, Callable[[str], bytes | None]] = {"hex": _from_hex, "base64": _from_base64}
