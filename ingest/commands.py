"""`huifang source …`: which ITSM systems may report, and what they sign with; `huifang import …`: from files."""

import base64
import json
import secrets
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress

from ingest import store
from ingest.customer import REGISTER, Imported
from ingest.handlers import promise, read_payload
from ingest.handlers.customer_import import import_customers as take_in
from ingest.mapping import UnmappableError
from ingest.past import Past, look_back
from ingest.payload import PayloadError, is_source_name, parse
from ingest.signature import LEAST_SECRET_BYTES, SCHEMES, is_long_enough
from services.command_line import AsJson, in_transaction, show
from services.contracts.customer_file import read_customers
from services.contracts.ticket_file import read_tickets
from services.database import Transaction
from services.errors import ConfigurationError
from services.house import House

source = typer.Typer(name="source", help="ITSM systems that may report tickets.", no_args_is_help=True)
import_ = typer.Typer(name="import", no_args_is_help=True)
COMMANDS = (source, import_)
EXIT_REFUSED = 65
"""As in sysexits: what stands in the file cannot be used."""
MOST_FILE_BYTES = 256 * 1024 * 1024

REPORTED_TOGETHER = 5_000
"""How many reports of a file one statement stores; all of them are one transaction."""

SecretFile = Annotated[Path | None, typer.Option(help="File that holds the secret; without it, one is made.")]


@source.command("list")
def list_sources(as_json: AsJson = False) -> None:
    """Show the sources there are, without their secrets."""

    async def look(house: House, transaction: Transaction) -> list[dict[str, object]]:
        return [
            {
                "name": each.name,
                "mapping": each.mapping,
                "scheme": each.scheme,
                "timezone": each.timezone.key,
                "open": each.enabled,
                "secrets": len(each.secrets),
            }
            for each in await store.list_sources(transaction, house.seal)
        ]

    show(in_transaction("ingest", look), as_json)


@source.command()
def add(
    name: Annotated[str, typer.Argument(help="As in the address /hooks/NAME.")],
    mapping: Annotated[str, typer.Option(help="Which mapping understands its JSON.")] = "generic",
    scheme: Annotated[str | None, typer.Option(help="How it signs; default: as the mapping's system does.")] = None,
    timezone: Annotated[str, typer.Option(help="What its times without a zone are meant in.")] = "UTC",
    secret_file: SecretFile = None,
) -> None:
    """Let an ITSM report, and show the secret that it signs with."""
    secret = _secret(secret_file, scheme or mapping)

    async def do(house: House, transaction: Transaction) -> None:
        await add_source(house, transaction, name, mapping, scheme, timezone, secret)

    in_transaction("ingest", do)
    typer.echo(secret)


@source.command()
def secret(
    name: str,
    overlap: Annotated[float, typer.Option(help="Hours for which the old secret is valid yet.", min=0)] = 24,
    secret_file: SecretFile = None,
) -> None:
    """Give a source a new secret, and show it."""

    async def do(house: House, transaction: Transaction) -> str:
        known = await _find(house, transaction, name)
        fresh = _secret(secret_file, known.scheme)
        await store.replace_secret(transaction, house.seal, name, fresh, timedelta(hours=overlap))
        return fresh

    typer.echo(in_transaction("ingest", do))


@source.command()
def close(name: str) -> None:
    """Turn a source away (401) until it is opened again."""
    _enable(name, False)


@source.command("open")
def reopen(name: str) -> None:
    """Let a closed source report again."""
    _enable(name, True)


@source.command()
def test(name: str, file: Annotated[Path, typer.Argument(help="A payload as the ITSM sends it.")]) -> None:
    """Show what a payload would report; nothing is stored. The output holds what the payload says of the person."""

    async def look(house: House, transaction: Transaction) -> str:
        known = await _find(house, transaction, name)
        try:
            reading = read_payload(house, known, parse(file.read_bytes()))
        except (OSError, PayloadError, UnmappableError) as error:
            raise ConfigurationError(f"{file}: {error}") from error
        told: object = {"ignored": reading.ignored} if reading.ignored else reading.reports
        return msgspec.json.format(msgspec.json.encode(told)).decode()

    typer.echo(in_transaction("ingest", look))


@import_.callback()
def import_files() -> None:
    """What other systems know already, from files."""


@import_.command("tickets")
def import_tickets(
    file: Annotated[
        Path, typer.Argument(help="CSV: one row a closing, or ServiceNow's log of incidents; see the docs.")
    ],
    source: Annotated[str, typer.Option(help="The system whose tickets they are, as `huifang source list` names it.")],
    timezone: Annotated[
        str | None, typer.Option(help="What times without an offset are in; default: the source's.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be reported.")] = False,
    as_json: AsJson = False,
) -> None:
    """Report past tickets and occasions, all of a file or nothing; twice the same file has no effect twice."""

    # A long file is read before and not in a transaction, which would not wait so long.
    house, zone = in_transaction("ingest", lambda house, transaction: _zone(house, transaction, source, timezone))
    told, clock = read_tickets(_read(file), zone), house.clock
    past = look_back(told, source, clock.now(), clock.place, house.settings.phone_region)

    async def report(house: House, transaction: Transaction) -> None:
        for start in range(0, len(past.reports), REPORTED_TOGETHER):
            await promise(house, transaction, past.reports[start : start + REPORTED_TOGETHER])

    if past.reports and not dry_run:
        in_transaction("ingest", report)
    done = bool(past.reports) and not dry_run
    summary = {"file": str(file), "source": source, **past.summary(), "reported": done}
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
    else:
        _show_past(past, summary)
    if past.findings:
        raise typer.Exit(EXIT_REFUSED)


@import_.command("customers")
def import_customers(
    file: Annotated[Path, typer.Argument(help="CSV: one row a customer, or a customer with one person; see the docs.")],
    source: Annotated[str, typer.Option(help="The system whose people they are, where a row names none.")] = REGISTER,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be changed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take customers and their people into the register, all of a file or nothing; the same again changes nothing."""
    if not is_source_name(source):
        raise ConfigurationError(f"{source!r} is no name for a source; name one that `huifang source list` shows")
    told = read_customers(_read(file))

    async def do(house: House, transaction: Transaction) -> Imported:
        screen = Console(stderr=True)
        with Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar:
            task = bar.add_task("customers", total=len(told.customers))
            return await take_in(house, transaction, told, source, dry_run, lambda done: bar.advance(task, done))

    imported = in_transaction("ingest", do)
    done = not imported.findings and not dry_run
    summary = {"file": str(file), **imported.summary(), "imported": done}
    for finding in () if as_json else (*imported.findings, *imported.notes):
        typer.echo(str(finding), err=True)
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
    elif imported.findings:
        typer.echo(f"nothing was imported: {len(imported.findings)} places are refused", err=True)
    else:
        show([{name: value for name, value in summary.items() if value and name != "notes"}], as_json=False)
    if imported.findings:
        raise typer.Exit(EXIT_REFUSED)


def _show_past(past: Past, summary: Mapping[str, object]) -> None:
    for finding in past.findings:
        typer.echo(str(finding), err=True)
    if past.findings:
        typer.echo(f"nothing was reported: {len(past.findings)} rows are refused", err=True)
        return
    show([{name: value for name, value in summary.items() if value not in ([], None)}], as_json=False)


async def _zone(house: House, transaction: Transaction, source: str, timezone: str | None) -> tuple[House, ZoneInfo]:
    """The house, and what times are meant in. Raises `ConfigurationError`, also where the source cannot be."""
    if timezone is not None:
        _check_timezone(timezone)
    if not is_source_name(source):
        raise ConfigurationError(f"{source!r} is no name for a source; name one that `huifang source list` shows")
    known = {each.name: each.timezone for each in await store.list_sources(transaction, house.seal)}
    if timezone is None and source not in known:
        raise ConfigurationError(f"there is no source {source!r} to tell the time zone; add it, or give --timezone")
    return house, ZoneInfo(timezone) if timezone else known[source]


def _read(file: Path) -> bytes:
    try:
        size = file.stat().st_size
        if size > MOST_FILE_BYTES:
            raise ConfigurationError(
                f"{file}: {size:,} bytes, more than {MOST_FILE_BYTES:,}; import it in several files"
            )
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error}") from error


async def add_source(
    house: House,
    transaction: Transaction,
    name: str,
    mapping: str,
    scheme: str | None,
    timezone: str,
    secret: str,
) -> None:
    """A new source with its secret. Raises `ConfigurationError` that names what is wrong with it."""
    scheme = scheme or (mapping if mapping in SCHEMES else "generic")
    _check_known("mapping", mapping, store.load_mappings(house.settings.mappings))
    _check_known("scheme", scheme, SCHEMES)
    _check_timezone(timezone)
    if not is_long_enough(secret):
        raise ConfigurationError(f"the secret of {name!r} has fewer than {LEAST_SECRET_BYTES} bytes; make a longer one")
    if not is_source_name(name):
        raise ConfigurationError(f"{name!r} is no name for a source, or our own; up to 63 of a-z, digits, - and _ are")
    if not await store.insert_source(transaction, name, mapping, scheme, timezone):
        raise ConfigurationError(f"there is a source {name!r} already; `huifang source secret` renews its secret")
    await store.replace_secret(transaction, house.seal, name, secret, timedelta())


async def ensure_sources(house: House, transaction: Transaction, secrets_by_name: Mapping[str, str]) -> None:
    """Lets each system report that is not known yet, named like its mapping, and sign with the given secret.

    Where a source signs with another secret, the given one takes its place at once.
    """
    known = {each.name: each for each in await store.list_sources(transaction, house.seal)}
    for name, text in secrets_by_name.items():
        if name not in known:
            await add_source(house, transaction, name, name, None, "UTC", text)
        elif known[name].secrets[:1] != (text,):
            await store.replace_secret(transaction, house.seal, name, text, timedelta())


def _enable(name: str, enabled: bool) -> None:
    async def do(house: House, transaction: Transaction) -> None:
        await _find(house, transaction, name)
        await store.enable_source(transaction, name, enabled)

    in_transaction("ingest", do)


async def _find(house: House, transaction: Transaction, name: str) -> store.Source:
    for each in await store.list_sources(transaction, house.seal):
        if each.name == name:
            return each
    raise ConfigurationError(f"there is no source {name!r}; `huifang source list` shows those there are")


def _secret(file: Path | None, scheme: str) -> str:
    if file is None:
        fresh = base64.b64encode(secrets.token_bytes(32)).decode()
        return f"whsec_{fresh}" if scheme in ("generic", "standard-webhooks", "gitlab") else fresh
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: cannot be read: {error}") from error
    if not is_long_enough(text):
        raise ConfigurationError(f"{file}: a secret has at least {LEAST_SECRET_BYTES} bytes")
    return text


def _check_timezone(name: str) -> None:
    if name not in available_timezones():
        raise ConfigurationError(f"no time zone {name!r}; IANA names like Asia/Shanghai are understood")


def _check_known(what: str, name: str, known: Mapping[str, object]) -> None:
    if name not in known:
        raise ConfigurationError(f"there is no {what} {name!r}; there are {', '.join(sorted(known))}")
