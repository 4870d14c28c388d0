"""What every command of `huifang` needs: settings, a transaction, and a way to print."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

import typer

from services import logs
from services.clock import SystemClock
from services.database import Transaction
from services.house import House
from services.run import open_house
from services.settings import Settings, read_settings

Result = TypeVar("Result")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


def configured() -> Settings:
    """The settings of this command, with logs that suit a terminal."""
    settings = read_settings()
    logs.configure(settings.log_level, settings.log_form)
    return settings


def in_transaction(room: str, work: Callable[[House, Transaction], Coroutine[Any, Any, Result]]) -> Result:
    """Does `work` in one transaction of a room on the configured database."""

    async def do() -> Result:
        async with open_house(configured(), SystemClock()) as house, house.database.transaction(room) as transaction:
            return await work(house, transaction)

    return asyncio.run(do())


def show(rows: list[dict[str, object]], as_json: bool) -> None:
    """Prints rows, as JSON for machines or one a line for people."""
    if as_json:
        typer.echo(json.dumps(rows, default=str, ensure_ascii=False))
    elif not rows:
        typer.echo("none")
    else:
        for row in rows:
            typer.echo("  ".join(f"{name}={value}" for name, value in row.items() if value is not None))
