"""PostgreSQL: one pool a process, every call with a deadline, transactions opened and ended here and nowhere else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import asyncpg
import structlog
from asyncpg.connect_utils import SessionAttribute

from services.clock import Clock
from services.contracts.envelope import Event, encode
from services.contracts.topics import topic_of
from services.errors import Unavailable
from services.identifiers import uuid7

log = structlog.get_logger(__name__)

Record = asyncpg.Record
Result = TypeVar("Result")

ACQUIRE_SECONDS = 2.5
COMMAND_SECONDS = 10.0
OUTBOX_COLUMNS = ("topic", "key", "value")

TRANSIENT = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.DiskFullError,
)
"""Failures after which the same transaction may succeed; nothing of it was kept, or its natural keys will show it."""


class PutAside(NamedTuple):
    """An event that a handler cannot use, and why: it becomes a dead letter."""

    event: Event
    reason: str
    detail: str


class Transaction:
    """One unit of work: everything in it becomes true together, the events that it says included."""

    def __init__(self, connection: "asyncpg.Connection[Record]", room: str, now: datetime) -> None:
        self._connection = connection
        self.room = room
        self.now = now
        self.said: list[Event] = []
        self.aside: list[PutAside] = []

    async def fetch(self, statement: str, *arguments: object) -> list[Record]:
        """All rows."""
        return await self._connection.fetch(statement, *arguments)

    async def fetchrow(self, statement: str, *arguments: object) -> Record | None:
        """The first row."""
        return await self._connection.fetchrow(statement, *arguments)

    async def fetchval(self, statement: str, *arguments: object) -> Any:
        """The first column of the first row."""
        return await self._connection.fetchval(statement, *arguments)

    async def execute(self, statement: str, *arguments: object) -> str:
        """Runs a statement and returns PostgreSQL's word for what it did."""
        return await self._connection.execute(statement, *arguments)

    async def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Binary COPY into `schema.table`: the fastest way in, where no row can conflict."""
        schema, _, name = table.rpartition(".")
        await self._connection.copy_records_to_table(name, schema_name=schema, columns=list(columns), records=rows)

    def say(self, event: Event) -> None:
        """Says an event; it leaves with the commit, by the room's outbox, or not at all."""
        self.said.append(event)

    def put_aside(self, event: Event, reason: str, detail: str) -> None:
        """Sets a heard event aside as a dead letter (only inside handlers)."""
        self.aside.append(PutAside(event, reason, detail))

    async def write_outbox(self) -> None:
        """Stores what was said; called once, by the database, before the commit."""
        if self.said:
            rows = [
                (topic_of(type(event)), event.subject, encode(event, id=uuid7(), room=self.room, time=self.now))
                for event in self.said
            ]
            await self.copy(f"{self.room}.outbox", OUTBOX_COLUMNS, rows)


class Database:
    """The pool. `now` of each transaction comes from `clock`."""

    def __init__(self, pool: "asyncpg.Pool[Record]", clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._listeners: dict[str, asyncio.Event] = {}

    @classmethod
    async def open(cls, url: str, clock: Clock, connections: int = 10) -> "Database":
        """Connects. Raises `Unavailable` where no server answers."""
        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=connections,
                command_timeout=COMMAND_SECONDS,
                timeout=ACQUIRE_SECONDS,
                record_class=Record,
                reset=_nothing_to_reset,
                target_session_attrs=SessionAttribute.read_write,
                server_settings={"application_name": "huifang", "idle_in_transaction_session_timeout": "60000"},
            )
        except TRANSIENT as error:
            raise Unavailable(f"PostgreSQL does not answer: {error or type(error).__name__}") from error
        return cls(pool, clock)

    async def close(self) -> None:
        """Closes the pool, at the latest after five seconds."""
        try:
            await asyncio.wait_for(self._pool.close(), 5)
        except TimeoutError:
            self._pool.terminate()

    def said_by(self, room: str) -> asyncio.Event:
        """Set whenever a transaction of this process has said something for the room (a hint, never the truth)."""
        return self._listeners.setdefault(room, asyncio.Event())

    @asynccontextmanager
    async def transaction(self, room: str) -> AsyncIterator[Transaction]:
        """Opens a transaction for a room and commits it at the end; rolls back on any error.

        Raises `Unavailable` where the database failed or did not answer in time.
        """
        async with self._connection() as connection, connection.transaction():
            transaction = Transaction(connection, room, self._clock.now())
            yield transaction
            await transaction.write_outbox()
        if transaction.said:
            self.said_by(room).set()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A connection for single reads, each its own snapshot. Raises `Unavailable` as above."""
        async with self._connection() as connection:
            yield Transaction(connection, "", self._clock.now())

    async def run(self, room: str, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Does `work` in a transaction, and once more where the first try met a transient failure."""
        try:
            async with self.transaction(room) as transaction:
                return await work(transaction)
        except Unavailable:
            async with self.transaction(room) as transaction:
                return await work(transaction)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator["asyncpg.Connection[Record]"]:
        try:
            connection = await self._pool.acquire(timeout=ACQUIRE_SECONDS)
        except TRANSIENT as error:
            raise Unavailable(f"no connection to PostgreSQL: {error or type(error).__name__}") from error
        broken = True
        try:
            yield connection  # type: ignore[misc]
            broken = False
        except TRANSIENT as error:
            if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
                await self._pool.expire_connections()
            raise Unavailable(f"PostgreSQL failed: {error or type(error).__name__}") from error
        except (Exception, asyncio.CancelledError):
            broken = connection.is_closed() or connection.is_in_transaction()
            raise
        finally:
            # A frozen server never answers a polite close: what may be broken is cut off.
            if broken:
                connection.terminate()
            with suppress(*TRANSIENT):
                await self._pool.release(connection, timeout=ACQUIRE_SECONDS)


async def _nothing_to_reset(connection: "asyncpg.Connection[Record]") -> None:
    """The house uses no session state (no SET, LISTEN, cursor or session lock), so a connection needs no reset."""
