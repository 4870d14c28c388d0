"""The relay: what a room has said leaves its outbox for its topic, in order, at least once."""

import asyncio
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
LEASE_SECONDS = 15.0
RESCAN_SECONDS = 5.0
FAILURE_PAUSE_SECONDS = 1.0


class Relay:
    """Empties one room's outbox. Of several processes only the holder of the lease relays, so that order is kept.

    It reads behind a low-water mark, which makes deleted rows cost nothing; a transaction that drew its positions early
    and committed late is found by going back to the beginning every few seconds.
    """

    def __init__(self, house: House, room: str, producer: Producer, pulse: Pulse) -> None:
        self._house = house
        self._room = room
        self._producer = producer
        self._pulse = pulse
        self._holder: UUID = uuid7()
        self._take = SQL.of("take_from_outbox", room)
        self._delete = SQL.of("delete_from_outbox", room)
        self._measure = SQL.of("measure_outbox", room)
        self._arrived: list[int] = []
        self._mark = 0
        self._stopping = False

    def stop(self) -> None:
        """Ends the relay once it has sent what waits now."""
        self._stopping = True
        self._house.database.said_by(self._room).set()

    async def run(self) -> None:
        """Relays until `stop`; outages of either side are waited out."""
        said = self._house.database.said_by(self._room)
        rescan_at = 0.0
        while True:
            self._pulse.beat(f"{self._room}.relay")
            said.clear()
            now = asyncio.get_running_loop().time()
            if now >= rescan_at:
                self._mark, rescan_at = 0, now + RESCAN_SECONDS
            try:
                busy = await self._round()
            except Unavailable as error:
                log.warning("relay_waits", room=self._room, error=str(error))
                busy = False
                if self._stopping:
                    break
                await asyncio.sleep(FAILURE_PAUSE_SECONDS)
            if not busy:
                if self._stopping:
                    break
                await self._rest(said)
        await self._leave()

    async def measure(self) -> None:
        """Sets the gauges of what waits."""
        async with self._house.database.reading() as transaction:
            row = await transaction.fetchrow(self._measure)
        if row is not None:
            metrics.OUTBOX_ROWS.labels(self._room).set(row["rows"])
            metrics.OUTBOX_OLDEST.labels(self._room).set(row["oldest"])

    async def _round(self) -> bool:
        rows = await self._house.database.run(self._room, self._next)
        if rows:
            await self._producer.send([Outgoing(row["topic"], row["key"].encode(), row["value"]) for row in rows])
            self._arrived = [row["position"] for row in rows]
            self._mark = self._arrived[-1]
        return bool(rows)

    async def _next(self, transaction: Transaction) -> list[Record]:
        if await transaction.fetchval(SQL["take_lease"], self._lease, self._holder, LEASE_SECONDS) is None:
            self._arrived, self._mark = [], 0
            return []
        if self._mark == 0:
            # From the beginning again: the statement below would still see what it deletes.
            await transaction.execute(self._delete, self._arrived)
        rows = await transaction.fetch(self._take, self._arrived, self._mark, MOST)
        self._arrived = []
        return rows

    async def _rest(self, said: asyncio.Event) -> None:
        try:
            await asyncio.wait_for(said.wait(), POLL_SECONDS)
        except TimeoutError:
            return

    async def _leave(self) -> None:
        async def give_up(transaction: Transaction) -> None:
            await transaction.execute(SQL["give_up_lease"], self._lease, self._holder)

        try:
            await self._house.database.run(self._room, give_up)
        except Unavailable as error:
            log.warning("relay_kept_lease", room=self._room, error=str(error))

    @property
    def _lease(self) -> str:
        return f"relay {self._room}"
