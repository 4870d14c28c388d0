"""Wires the room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ingest.api import ROUTERS, hooks
from ingest.handlers import HANDLERS, TICKS
from ingest.store import load_mappings
from services.house import House
from services.room import Room


@asynccontextmanager
async def open_room(house: House) -> AsyncIterator[Room]:
    """The front door. Raises `ConfigurationError` where a mapping of the installation's own is wrong."""
    load_mappings(house.settings.mappings)
    yield Room(name="ingest", handlers=HANDLERS, ticks=TICKS, routers=ROUTERS, routes=hooks(house))
