"""The relay: what a room has said leaves its outbox for its topic, in order, at least once."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

import structlog

from services import metrics
from services.database import Record, Transaction
from services.errors import Unavailable
from services.house import House
from services.identifiers import uuid7
from services.kafka import Outgoing, Producer
from services.pulse import Pulse
from services.statements import Statements

log = structlog.get_logger(__name__)

SQL = Statements("services")
MOST = 2_000
POLL_SECONDS = 0.5
LEASE_SECONDS = 6.0
RESCAN_SECONDS = 2.0
FAILURE_PAUSE_SECONDS = 1.0


class Relay:
    """Empties one room's outbox. Of several processes only the holder of the lease relays, so that order is kept.

    While one batch is on its way to Kafka, the next is read, in the statement that deletes the one before. It reads
    behind a low-water mark, which makes deleted rows cost nothing; a transaction that drew its positions early and
    committed late is found by going back to the beginning every few seconds.
    """

    def __init__(self, house: House, room: str, producer: Producer, pulse: Pulse) -> None:
        self._house = house
        self._room = room
        self._producer = producer
        self._pulse = pulse
        self._holder: UUID = uuid7()
        self._lease = f"relay {room}"
        self._take = SQL.of("take_from_outbox", room)
        self._delete = SQL.of("delete_from_outbox", room)
        self._measure = SQL.of("measure_outbox", room)
        self._said = house.database.said_by(room)
        self._mark = 0
        self._arrived: list[int] = []
        self._sending: asyncio.Task[list[int]] | None = None
        self._stopping = False

    def stop(self) -> None:
        """Ends the relay once it has sent what waits now."""
        self._stopping = True
        self._said.set()

    async def run(self) -> None:
        """Relays until `stop`; outages of either side are waited out."""
        try:
            while not self._stopping:
                self._pulse.beat(f"{self._room}.relay")
                try:
                    await self._relay()
                except Unavailable as error:
                    log.warning("relay_waits", room=self._room, error=str(error))
                    await asyncio.sleep(FAILURE_PAUSE_SECONDS)
            with suppress(Unavailable):
                await self._relay()
        finally:
            if self._sending:
                self._sending.cancel()
            await self._give_up()

    async def measure(self) -> None:
        """Sets the gauges of what waits."""
        async with self._house.database.reading() as transaction:
            row = await transaction.fetchrow(self._measure)
        if row is not None:
            metrics.OUTBOX_ROWS.labels(self._room).set(row["rows"])
            metrics.OUTBOX_OLDEST.labels(self._room).set(row["oldest"])

    async def _relay(self) -> None:
        """Takes the lease and relays from the beginning on, until it is time to do both anew."""
        await self._arrive()
        fresh_until = asyncio.get_running_loop().time() + RESCAN_SECONDS
        holds = await self._house.database.run(self._room, self._begin)
        self._arrived, self._mark = [], 0
        while asyncio.get_running_loop().time() < fresh_until:
            self._said.clear()
            busy = holds and await self._step()
            if not busy and self._stopping:
                break
            if not busy:
                await self._rest()
        await self._arrive()

    async def _begin(self, transaction: Transaction) -> bool:
        # From the beginning on, what has arrived must be gone before: `_take` would still see what it deletes.
        await transaction.execute(self._delete, self._arrived)
        held = await transaction.fetchval(SQL["take_lease"], self._lease, self._holder, LEASE_SECONDS)
        return held is not None

    async def _step(self) -> bool:
        rows = await self._house.database.run(self._room, self._next)
        self._arrived = []
        await self._arrive()
        if rows:
            self._mark = rows[-1]["position"]
            self._sending = asyncio.create_task(self._send(rows))
        return bool(rows or self._arrived)

    async def _next(self, transaction: Transaction) -> list[Record]:
        await transaction.execute(SQL["relax_durability"])
        return await transaction.fetch(self._take, self._arrived, self._mark, MOST)

    async def _send(self, rows: Sequence[Record]) -> list[int]:
        await self._producer.send([Outgoing(row["topic"], row["key"].encode(), row["value"]) for row in rows])
        return [row["position"] for row in rows]

    async def _arrive(self) -> None:
        sending, self._sending = self._sending, None
        if sending:
            self._arrived = [*self._arrived, *await sending]

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._said.wait(), POLL_SECONDS)

    async def _give_up(self) -> None:
        async def give_up(transaction: Transaction) -> None:
            await transaction.execute(self._delete, self._arrived)
            await transaction.execute(SQL["give_up_lease"], self._lease, self._holder)

        try:
            await self._house.database.run(self._room, give_up)
        except Unavailable as error:
            log.warning("relay_kept_lease", room=self._room, error=str(error))
