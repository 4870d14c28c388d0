"""One HTTP request to a provider, and the line between definite and ambiguous.

What fails before the request is written (no connection, no free one) is definite. Once writing has begun, silence and
broken lines are `uncertain`: the provider may have it. There are no redirects, no proxies from the environment and no
second try in here.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, ClassVar, Self

import httpx
import msgspec

from notifier.delivery import Outcome

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 12.0
RESERVE_SECONDS = 1.0
CONNECTIONS = 16
IDLE_SECONDS = 5.0
LARGEST_ANSWER = 64 * 1024

_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer. `json` is the decoded body, an empty mapping where it is no JSON object."""

    status: int
    json: dict[str, Any]
    retry_after: timedelta | None


class HttpChannel:
    """What every provider that is called by HTTP stands on: a client whose connections are used again while fresh."""

    provider: ClassVar[str]
    connections = CONNECTIONS

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
            limits=httpx.Limits(
                max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=IDLE_SECONDS
            ),
            follow_redirects=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def request(self, deadline: float, method: str, url: str, **arguments: Any) -> Answer | Outcome:
        """The answer to one request, or what its failure means for a message. Never raises but when cancelled."""
        if deadline - asyncio.get_running_loop().time() <= RESERVE_SECONDS:
            return Outcome("unstarted", f"{self.provider} no time")
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._client.request(method, url, **arguments)
        except _UNSENT as error:
            return Outcome("temporary", f"{self.provider} {type(error).__name__}")
        except (httpx.HTTPError, TimeoutError) as error:
            return Outcome("uncertain", f"{self.provider} {type(error).__name__}")
        return Answer(response.status_code, _object(response.content), retry_after(response.headers.get("retry-after")))


def retry_after(text: str | None) -> timedelta | None:
    """The wait that a `Retry-After` header asks for: seconds, or a date (RFC 9110 section 10.2.3)."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:12]), 10**8))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    # A provider's date is by the clock of the world outside, never by business time.
    return max(timedelta(0), at - datetime.now(UTC))


def _object(content: bytes) -> dict[str, Any]:
    try:
        decoded = msgspec.json.decode(content) if len(content) <= LARGEST_ANSWER else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return decoded if isinstance(decoded, dict) else {}
