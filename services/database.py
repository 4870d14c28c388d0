"""PostgreSQL: one pool a process, every call with a deadline, transactions opened and ended here and nowhere else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from services.clock import Clock
from services.contracts.envelope import Event, encode
from services.contracts.topics import topic_of
from services.errors import ConfigurationError, Unavailable
from services.identifiers import uuid7
from services.statements import Statements

Record = asyncpg.Record
Result = TypeVar("Result")
if TYPE_CHECKING:
    Connection = asyncpg.Connection[Record] | asyncpg.pool.PoolConnectionProxy[Record]

SQL = Statements("services")
ANSWER_SECONDS = 2.5
COMMAND_SECONDS = 8.0
OUTBOX_COLUMNS = ("topic", "key", "value")
SESSION = {
    "application_name": "huifang",
    "idle_in_transaction_session_timeout": "60s",
    # A little later than our own deadline: a statement that nobody waits for any more ends all the same.
    "statement_timeout": "10s",
}

TRANSIENT = (
    TimeoutError,
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.PostgresSystemError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InternalClientError,
)
"""Failures after which the same transaction may succeed; nothing of it was kept, or its natural keys will show it."""
UNREACHABLE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""Whatever can keep a connection from coming about."""
MISCONFIGURED = (
    asyncpg.ClientConfigurationError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
"""Those among them that waiting does not cure."""


class PutAside(NamedTuple):
    """An event that a handler cannot use, and why: it becomes a dead letter."""

    event: Event
    reason: str
    detail: str


class Transaction:
    """One unit of work: everything in it becomes true together, the events that it says included."""

    def __init__(self, connection: "Connection", room: str, now: datetime, patience: float) -> None:
        self._connection = connection
        self._patience = patience
        self.room = room
        self.now = now
        self.said: list[Event] = []
        self.aside: list[PutAside] = []
        self.afterwards: list[Callable[[], object]] = []

    async def fetch(self, statement: str, *arguments: object) -> list[Record]:
        """All rows."""
        return await self._connection.fetch(statement, *arguments, timeout=self._patience)

    async def fetchrow(self, statement: str, *arguments: object) -> Record | None:
        """The first row."""
        return await self._connection.fetchrow(statement, *arguments, timeout=self._patience)

    async def fetchval(self, statement: str, *arguments: object) -> Any:
        """The first column of the first row."""
        return await self._connection.fetchval(statement, *arguments, timeout=self._patience)

    async def execute(self, statement: str, *arguments: object) -> str:
        """Runs a statement and returns PostgreSQL's word for what it did."""
        return await self._connection.execute(statement, *arguments, timeout=self._patience)

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

    def after_commit(self, action: Callable[[], object]) -> None:
        """Has `action` called once when all this has become true, and never if it does not: where metrics count.

        A crash between the commit and the action loses the action.
        """
        self.afterwards.append(action)

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
        """Connects. Raises `Unavailable` where no server answers, `ConfigurationError` where it lets nobody in."""
        with reaching():
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=connections,
                command_timeout=COMMAND_SECONDS,
                timeout=ANSWER_SECONDS,
                record_class=Record,
                reset=_nothing_to_reset,
                target_session_attrs=SessionAttribute.read_write,
                server_settings=SESSION,
            )
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
    async def transaction(self, room: str, patience: float = COMMAND_SECONDS) -> AsyncIterator[Transaction]:
        """Opens a transaction for a room and commits it at the end; rolls back on any error.

        Each of its statements has `patience` seconds. Raises `Unavailable` where the database failed or was late.
        """
        deadline = asyncio.get_running_loop().time() + ANSWER_SECONDS
        async with self._connection() as connection:
            # A frozen server shows here, and soon: the statements proper may take longer.
            left = max(0.25, deadline - asyncio.get_running_loop().time())
            await connection.execute(SQL["begin"], timeout=left)
            transaction = Transaction(connection, room, self._clock.now(), patience)
            try:
                yield transaction
                await transaction.write_outbox()
            except Exception as error:
                if not _is_transient(error, connection):
                    await connection.execute(SQL["roll_back"])
                raise
            await connection.execute(SQL["commit"])
        if transaction.said:
            self.said_by(room).set()
        for action in transaction.afterwards:
            action()

    @asynccontextmanager
    async def reading(self, patience: float = ANSWER_SECONDS) -> AsyncIterator[Transaction]:
        """A connection for single reads, each its own snapshot and each with `patience` seconds.

        Raises `Unavailable` as above.
        """
        async with self._connection() as connection:
            yield Transaction(connection, "", self._clock.now(), patience)

    async def run(self, room: str, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Does `work` in a transaction, and once more where the first try met a transient failure."""
        try:
            async with self.transaction(room) as transaction:
                return await work(transaction)
        except Unavailable:
            async with self.transaction(room) as transaction:
                return await work(transaction)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator["Connection"]:
        try:
            connection = await self._pool.acquire(timeout=ANSWER_SECONDS)
        except UNREACHABLE as error:
            raise Unavailable(f"no connection to PostgreSQL: {_word(error)}") from error
        clean = False
        try:
            yield connection
            clean = True
        except Exception as error:
            if not _is_transient(error, connection):
                clean = not _is_lost(connection) and not connection.is_in_transaction()
                raise
            if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
                await self._pool.expire_connections()
            raise Unavailable(f"PostgreSQL failed: {_word(error)}") from error
        finally:
            # A frozen server never answers a polite close: what may be broken (or was cancelled) is cut off.
            with suppress(*UNREACHABLE):
                if not clean and not _is_lost(connection):
                    connection.terminate()
                await self._pool.release(connection, timeout=ANSWER_SECONDS)


@contextmanager
def reaching() -> Iterator[None]:
    """Says in the house's own errors what keeps a connection from coming about."""
    try:
        yield
    except MISCONFIGURED as error:
        raise ConfigurationError(f"HUIFANG_DATABASE_URL: {error}") from error
    except UNREACHABLE as error:
        raise Unavailable(f"PostgreSQL does not answer: {_word(error)}") from error


def _is_transient(error: Exception, connection: "Connection") -> bool:
    # asyncpg tells by the same class that a connection was lost and that an argument is wrong.
    return isinstance(error, TRANSIENT) or (isinstance(error, asyncpg.InterfaceError) and _is_lost(connection))


def _is_lost(connection: "Connection") -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the pool has taken it back already
        return True


def _word(error: Exception) -> str:
    return str(error) or type(error).__name__


async def _nothing_to_reset(connection: "Connection") -> None:
    """The house uses no session state (no SET, LISTEN, cursor or session lock), so a connection needs no reset."""
