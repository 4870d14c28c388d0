"""Natural group commit: while one transaction is on its way, further requests gather and go together in the next.

No timer: a lone request waits for nobody, and under load the groups grow by themselves.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from services.database import Database, Transaction

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")


class Gather(Generic[Ask, Answer]):
    """Calls `work` for groups of asks, one transaction a group, and hands each asker his own answer.

    An error of the group is everybody's error, so `work` tells what is wrong with one ask by its answer.
    """

    def __init__(
        self,
        database: Database,
        room: str,
        work: Callable[[Transaction, Sequence[Ask]], Awaitable[Sequence[Answer]]],
        most: int = 500,
    ) -> None:
        self._database = database
        self._room = room
        self._work = work
        self._most = most
        self._waiting: deque[tuple[Ask, asyncio.Future[Answer]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def __call__(self, ask: Ask) -> Answer:
        """The answer to one ask, when its transaction is committed."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((ask, future))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work_off())
        return await future

    async def _work_off(self) -> None:
        try:
            while self._waiting:
                taken = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
                if group := [each for each in taken if not each[1].cancelled()]:
                    await self._work_on(group)
        finally:
            self._worker = None

    async def _work_on(self, group: Sequence[tuple[Ask, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._database.run(
                self._room, lambda transaction: self._work(transaction, [ask for ask, _ in group])
            )
            if len(answers) != len(group):
                raise ValueError(f"{len(answers)} answers to {len(group)} asks")
        except Exception as error:
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
        else:
            for (_, future), answer in zip(group, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
