"""A visit to a survey page: which link it follows, in which language, and whether a person is behind it. Pure."""

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from services.contracts.policy import Policy
from services.contracts.questionnaire import LOCALES, Locale

_TOKEN = re.compile(r"[A-Za-z0-9_-]{27}")
_TRAILING: Final = " \t\r\n.,;:!?)>]}\"'*`。，；：！？）》】」』”’…\u200b\ufeff\u00a0\u3000"
_PREFETCH: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_SCANNERS = re.compile(
    r"(?<!cu)bot\b|crawler|spider|preview|scanner|safelinks|mimecast|proofpoint|barracuda|symantec|messagelabs|trendmicro"
    r"|sophos|fireeye|forcepoint|zscaler|fortinet|cloudmark|urldefense|virustotal|urlscan|slurp|facebookexternalhit"
    r"|whatsapp|googleimageproxy|yahoomailproxy|embedly|iframely|skypeuri|ms-office|microsoft office",
    re.IGNORECASE,
)
_NONCE = re.compile(r"([0-9a-z]{1,12})\.([0-9]{1,9})\.([0-9a-f]{32})")
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_CHINESE: Final = frozenset({"CN", "HK", "MO", "TW"})


class Nonce(NamedTuple):
    """What a form carries back: when it was written, and how many answers its link had by then."""

    issued_at: datetime
    base: int


def token_of(path: str) -> str | None:
    """The link's token, without what mail clients glue to its end; None for what cannot be one."""
    token = path.rstrip(_TRAILING)
    return token if _TOKEN.fullmatch(token) else None


def is_prefetch(method: str, headers: Mapping[str, str]) -> bool:
    """Whether nobody is looking: a HEAD, or a browser or mail client that fetches in advance."""
    return method == "HEAD" or any(
        "prefetch" in headers.get(name, "").lower() or "preview" in headers.get(name, "").lower() for name in _PREFETCH
    )


def is_scanner(headers: Mapping[str, str]) -> bool:
    """Whether the visitor names himself as a link scanner or a preview robot, or hides what he is."""
    return _names_a_scanner(headers.get("user-agent", ""))


@lru_cache(maxsize=4096)
def _names_a_scanner(agent: str) -> bool:
    return not agent or _SCANNERS.search(agent) is not None


def is_foreign(headers: Mapping[str, str], public_url: str) -> bool:
    """Whether a form was sent from another site than the page's own.

    Our pages send no referrer, for which browsers make the origin of their own forms `null`: then `Sec-Fetch-Site`
    tells, and where an old browser sends neither, the nonce alone.
    """
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    if origin is None or origin == "null":
        return False
    host = headers.get("host", "")
    return origin != _origin(public_url) and origin not in (f"http://{host}", f"https://{host}")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def locale_of(asked: str | None, known: str | None, accepted: str, policy: Policy | None) -> Locale:
    """The page's language: as asked for (`?lang=`), else the person's, else the browser's, else the policy's home's.

    As in the messages, a person whose language is known and not Chinese reads English.
    """
    for locale in LOCALES:
        if asked == locale:
            return locale
    if known:
        return "zh" if _primary(known) == "zh" else "en"
    return _first_spoken(accepted) or _home(policy)


def _primary(tag: str) -> str:
    return tag.strip().lower().replace("_", "-").partition("-")[0]


def _first_spoken(accepted: str) -> Locale | None:
    wishes = []
    for place, wish in enumerate(accepted[:200].split(",")):
        tag, _, parameter = wish.partition(";")
        weight = parameter.strip().removeprefix("q=") if parameter else "1"
        if _primary(tag) in LOCALES and re.fullmatch(r"[01](\.[0-9]{0,3})?", weight) and float(weight) > 0:
            wishes.append((-float(weight), place, _primary(tag)))
    return next((locale for _, _, tag in sorted(wishes) for locale in LOCALES if tag == locale), None)


def _home(policy: Policy | None) -> Locale:
    if policy is None:
        return "zh"
    at_home = policy.calendar.holidays in _CHINESE or policy.calendar.timezone == "Asia/Shanghai"
    return "zh" if at_home else "en"


def write_nonce(secret: str, nonce: Nonce) -> str:
    """The nonce as the form carries it, signed with its link's own secret."""
    written = f"{_base36(max(0, round(nonce.issued_at.timestamp() * 1000)))}.{nonce.base}"
    return f"{written}.{_signature(secret, written)}"


def read_nonce(secret: str, text: str) -> Nonce | None:
    """The nonce again; None for one that this link's forms did not carry."""
    found = _NONCE.fullmatch(text)
    if found is None or not hmac.compare_digest(_signature(secret, f"{found[1]}.{found[2]}"), found[3]):
        return None
    return Nonce(datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(found[1], 36)), int(found[2]))


def _signature(secret: str, text: str) -> str:
    return hmac.digest(secret.encode(), text.encode(), "sha256").hex()[:32]


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if number == 0:
            return digits
