"""A client of an application that is served without a socket, with or without a key."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from services.auth import Role, create_key
from services.house import House
from services.identifiers import uuid7
from services.pulse import Pulse
from services.room import Room
from services.web import application


async def key_of(house: House, role: Role, name: str | None = None) -> str:
    """A new key."""
    async with house.database.transaction("services") as transaction:
        return await create_key(transaction, name or f"{role}-{uuid7()}", role)


@asynccontextmanager
async def browsing(
    house: House, *rooms: Room, role: Role | None = Role.administrator, pulse: Pulse | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of these rooms that carries a key of `role`. An error that leaves the application fails the test."""
    headers = {"authorization": f"Bearer {await key_of(house, role)}"} if role else {}
    transport = httpx.ASGITransport(application(house, rooms, pulse or Pulse()))
    async with httpx.AsyncClient(transport=transport, base_url="http://huifang", headers=headers) as client:
        yield client
