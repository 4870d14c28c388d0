"""Waiting in tests: for a condition, up to a deadline, never for a fixed time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from inspect import isawaitable

from tests.kafka.server import Kafka

_STARTER = ThreadPoolExecutor(1)
"""A thread that lives as long as the tests: Linux ends a child together with the thread that started it."""


async def until(condition: Callable[[], object | Awaitable[object]], patience: float = 15) -> None:
    """Returns once the condition holds. Raises `TimeoutError` where it does not within `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        met = condition()
        if await met if isawaitable(met) else met:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {patience:g} s")
        await asyncio.sleep(0.02)


async def start_again(server: Kafka) -> None:
    """Starts a killed server without blocking the loop."""
    await asyncio.get_running_loop().run_in_executor(_STARTER, server.start)
