"""An HTTP connection that waits for nobody for ever: a head that does not come to its end in time is cut off."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0


class Punctual(HttpToolsProtocol):
    """Uvicorn's own, with a deadline for each request's head, from the connection or the head's first byte on."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A connection comes about."""
        super().connection_made(transport)
        self._wait()

    def on_message_begin(self) -> None:
        """The first bytes of a request have come."""
        self._wait()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is complete; bodies have a deadline of their own (`services.web.BodyLimit`)."""
        self._wait_no_more()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._wait_no_more()
        self._waiting = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
