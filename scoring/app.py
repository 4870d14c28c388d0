"""Wires the room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from scoring import api
from scoring.handlers import HANDLERS, TICKS
from scoring.pages import survey_route
from services.house import House
from services.room import Room


@asynccontextmanager
async def open_room(house: House) -> AsyncIterator[Room]:
    """The survey pages, and what was answered on them."""
    yield Room(name="scoring", handlers=HANDLERS, ticks=TICKS, routers=(api.router,), routes=(survey_route(house),))
