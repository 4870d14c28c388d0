"""Waiting in tests: for a condition, up to a deadline, never for a fixed time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable


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
