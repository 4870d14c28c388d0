"""Customers' pages answer to the names under which they are published, and to no other."""

from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from services.errors import Problem
from services.problems import respond
from services.settings import Settings

PAGES = ("/s/", "/u/")


class Hosts:
    """Refuses requests for customers' pages whose `Host` was forged, before anything reads it.

    While the public address is this machine itself, nothing is published, and every name passes.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._names = None if settings.is_local else {settings.public_host, *settings.further_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or answers 400."""
        if scope["type"] != "http" or self._names is None or not scope["path"].startswith(PAGES):
            await self._app(scope, receive, send)
            return
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) == 1 and _name_of(hosts[0]) in self._names:
            await self._app(scope, receive, send)
        else:
            await respond(Problem(400, "host", "This page is published under another name."), scope, receive, send)


def _name_of(host: str) -> str | None:
    """The name in a `Host` header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
