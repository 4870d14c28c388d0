"""The command `huifang`. A room's own part of it stands in `<room>/commands.py`."""

import asyncio
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from services import auth, dead_letters, run
from services import migrate as migrations
from services.command_line import AsJson, configured, in_transaction, show
from services.database import Transaction
from services.doctor import examine
from services.embedded.up import up as start_up
from services.errors import ConfigurationError, HuifangError
from services.house import House
from services.run import ALL, EXIT_CONFIGURATION, EXIT_UNAVAILABLE
from services.statements import Statements

SQL = Statements("services")
ROOMS_WITH_COMMANDS = ("ingest", "scheduler")

app = typer.Typer(help="Huifang: customer satisfaction on top of an ITSM.", no_args_is_help=True, add_completion=False)
key = typer.Typer(help="Bearer keys for REST.", no_args_is_help=True)
dead = typer.Typer(help="Dead letters: what could not be understood.", no_args_is_help=True)
outbox = typer.Typer(help="What was said and waits for Kafka.", no_args_is_help=True)
app.add_typer(key, name="key")
app.add_typer(dead, name="dead")
app.add_typer(outbox, name="outbox")


@app.command()
def up(
    port: Annotated[int, typer.Option(help="Where the pages and REST listen, on 127.0.0.1.")] = run.PORT_OF_ALL,
    data: Annotated[Path | None, typer.Option(help="Folder that keeps everything.")] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Play a small set of closed tickets.")] = False,
    speed: Annotated[float | None, typer.Option(help="Let time run N times as fast.", min=1)] = None,
) -> None:
    """Start everything on this machine, with a mailbox that shows what would have been sent."""
    run.run_loop(start_up(port=port, data=data, sample=sample, speed=speed))


@app.command()
def serve(rooms: Annotated[list[str], typer.Argument(help=f"Rooms ({', '.join(ALL)}), or `all`.")]) -> None:
    """Run rooms against the configured PostgreSQL and Kafka."""
    names = ALL if rooms == ["all"] else tuple(rooms)
    if unknown := set(names) - set(ALL):
        raise ConfigurationError(f"no room {sorted(unknown)[0]!r}; there are {', '.join(ALL)}, or `all`")
    settings = configured()
    run.run_loop(run.serve(settings, names))


@app.command()
def migrate() -> None:
    """Bring the database's schema to the latest."""
    done = asyncio.run(migrations.migrate(configured().database_url.get_secret_value()))
    typer.echo("\n".join(f"applied {each.room}/{each.name}" for each in done) or "nothing to do")


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Tell what is wrong with this installation."""

    async def look() -> list[Any]:
        return [finding async for finding in examine(configured())]

    findings = asyncio.run(look())
    if as_json:
        typer.echo(json.dumps([finding._asdict() for finding in findings], ensure_ascii=False))
    for finding in [] if as_json else findings:
        typer.echo(f"{'ok ' if finding.well else 'no '} {finding.what}{': ' * bool(finding.remedy)}{finding.remedy}")
    if not all(finding.well for finding in findings):
        raise typer.Exit(1)


@key.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="Who will hold it.")],
    role: Annotated[auth.Role, typer.Option(help="What it may do.")],
) -> None:
    """Make a key. It is shown once, and kept only as a hash."""
    typer.echo(in_transaction("services", lambda _, transaction: auth.create_key(transaction, name, role)))


@key.command("revoke")
def revoke_key(name: str) -> None:
    """End a key; within five seconds it opens nothing."""
    in_transaction("services", lambda _, transaction: auth.revoke_key(transaction, name))


@key.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """Show the keys there are, without the keys."""
    rows = in_transaction("services", lambda _, transaction: transaction.fetch(SQL["list_api_keys"]))
    show([dict(row) for row in rows], as_json)


@dead.command("list")
def list_dead(as_json: AsJson = False) -> None:
    """Show the dead letters, without their contents."""
    show([letter.summary() for letter in asyncio.run(dead_letters.read_letters(configured()))], as_json)


@dead.command("show")
def show_dead(id: str) -> None:
    """Show the original bytes of one. They may hold personal data that the source sent in clear."""
    for letter in asyncio.run(dead_letters.read_letters(configured())):
        if letter.id == id:
            sys.stdout.buffer.write(letter.record.value or b"")
            return
    raise ConfigurationError(f"no dead letter {id!r}; `huifang dead list` shows what there is")


@dead.command("replay")
def replay_dead(ids: list[str]) -> None:
    """Put dead letters back on their topics."""
    typer.echo(f"replayed {asyncio.run(dead_letters.replay(configured(), ids))}")


@outbox.command("status")
def outbox_status(as_json: AsJson = False) -> None:
    """Show what waits in each room's outbox."""

    async def measure(_: House, transaction: Transaction) -> list[dict[str, object]]:
        rows = [(room, await transaction.fetchrow(SQL.of("measure_outbox", room))) for room in ALL]
        return [{"room": room, **dict(row)} for room, row in rows if row is not None]

    show(in_transaction("services", measure), as_json)


def main() -> None:
    """The entry point: what goes wrong is one clear line on standard error and an exit code as in sysexits."""
    for room in ROOMS_WITH_COMMANDS:
        for group in import_module(f"{room}.commands").COMMANDS:
            app.add_typer(group)
    try:
        app()
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(EXIT_CONFIGURATION) from None
    except HuifangError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(EXIT_UNAVAILABLE) from None
