"""A room as the frame sees it: what it does on hearing, on the clock, and on request."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from fastapi import APIRouter
from starlette.routing import BaseRoute

from services.contracts.envelope import Event
from services.database import Transaction
from services.house import House
from services.tick import Errand, Sweep, Tick

Handler = Callable[[House, Transaction, Sequence[Any]], Awaitable[None]]
"""Takes a batch of events of one type, in a transaction that the frame commits. Idempotent; indifferent to order."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """One room, wired: `<room>/app.py` makes it."""

    name: str
    handlers: Mapping[type[Event], Handler] = field(default_factory=dict)
    ticks: Sequence[Tick | Errand[Any, Any] | Sweep] = ()
    routers: Sequence[APIRouter] = ()
    routes: Sequence[BaseRoute] = ()


class OpenRoom(Protocol):
    """`<room>.app.open_room`: a room for as long as its resources are open."""

    def __call__(self, house: House) -> AbstractAsyncContextManager[Room]:
        """Opens the room."""
        ...
