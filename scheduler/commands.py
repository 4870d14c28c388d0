"""`huifang policy …`: a policy file, checked before anybody proposes it, and its way into force."""

from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from scheduler import store
from scheduler.difference import differences, text_difference
from scheduler.handlers.policies import new_version, propose, remarks_on, take_step
from scheduler.revision import LARGEST, Refusal, Revision, Step
from scheduler.store.policies import find_former_version, list_policy_steps
from services.command_line import AsJson, in_transaction, show
from services.contracts.policy import Policy, PolicyError, parse_policy
from services.database import Transaction
from services.errors import ConfigurationError

policy = typer.Typer(name="policy", help="Policies: the company's rules, as a file.", no_args_is_help=True)
COMMANDS = (policy,)

Result = TypeVar("Result")
File = Annotated[Path, typer.Argument(help="The policy, a YAML file.")]
Name = Annotated[str, typer.Argument(help="The policy's short name.")]
Number = Annotated[int, typer.Argument(help="The number of its version.")]
Actor = Annotated[str, typer.Option("--as", help="Who does it: a person's name.")]
Note = Annotated[str, typer.Option(help="What to write to it.")]


@policy.callback()
def _group() -> None:
    """Keeps `policy` a group, however few commands it has."""


@policy.command("check")
def check(file: File, as_json: AsJson = False) -> None:
    """Name every error with file, line, column and remedy; then remark on wording, which a person decides about."""
    found = read(file)
    _tell_remarks(found, f"{file}: policy {found.policy!r} is well formed", as_json)


def _tell_remarks(found: Policy, headline: str, as_json: bool) -> None:
    remarks: list[dict[str, object]] = [{**each} for each in remarks_on(found)]
    if as_json:
        show(remarks, as_json)
        return
    typer.echo(f"{headline} ({len(found.surveys)} surveys, {len(found.questionnaires)} questionnaires)")
    if remarks:
        show(remarks, as_json)


def read(file: Path) -> Policy:
    """The policy of a file. Raises `ConfigurationError` with every finding."""
    try:
        return parse_policy(_text(file), str(file))
    except PolicyError as error:
        raise ConfigurationError(str(error)) from None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: cannot be read as UTF-8 text: {error}") from None


@policy.command("list")
def list_versions(as_json: AsJson = False) -> None:
    """Show every version of every policy, and which is in force."""

    async def look(transaction: Transaction) -> list[dict[str, object]]:
        in_force = {(row["policy"], row["version"]) for row in await store.find_policies_in_force(transaction)}
        names = ("policy", "version", "state", "effective_from", "proposed_at")
        return [
            {**{name: row[name] for name in names}, "in_force": (row["policy"], row["version"]) in in_force}
            for row in await store.list_policies(transaction)
        ]

    show(_done(look), as_json)


@policy.command("history")
def history(name: Name, version: Number, as_json: AsJson = False) -> None:
    """Show who proposed, reviewed and approved a version, or turned it down."""

    async def look(transaction: Transaction) -> list[dict[str, object]]:
        await _whole(transaction, name, version)
        return [{**each._asdict()} for each in await list_policy_steps(transaction, name, version)]

    show(_done(look), as_json)


@policy.command("propose")
def propose_file(
    file: File,
    actor: Actor = "operator",
    note: Annotated[str | None, typer.Option(help="What to tell the reviewer.")] = None,
    effective: Annotated[
        str | None, typer.Option(help="When it shall take effect, like 2026-04-01T00:00+08:00; else as the file says.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Propose a file as the next version; two further people review and approve it."""
    found, text = read(file), _text(file)
    if len(text) > LARGEST:
        raise ConfigurationError(f"{file}: a policy may have at most {LARGEST} characters")
    new = new_version(text, found, _moment(effective) if effective else None)
    revision = _done(lambda transaction: propose(transaction, new, actor, note, "console"))
    if not as_json:
        _tell_remarks(found, f"{file}: proposed as version {revision.version} of {revision.policy!r}", as_json)
        return
    _tell(revision, as_json)


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not 1970 <= at.year < 3000:
        raise ConfigurationError(f"{text!r} is no time with a zone; write it like 2026-04-01T00:00+08:00")
    return at


@policy.command("review")
def review(name: Name, version: Number, actor: Actor, note: Note, as_json: AsJson = False) -> None:
    """Confirm that a proposal is right; not its proposer."""
    _step(name, version, "reviewed", actor, note, as_json)


@policy.command("approve")
def approve(name: Name, version: Number, actor: Actor, note: Note, as_json: AsJson = False) -> None:
    """Put a reviewed version in force; neither its proposer nor its reviewer."""
    _step(name, version, "approved", actor, note, as_json)


@policy.command("reject")
def reject(name: Name, version: Number, actor: Actor, note: Note, as_json: AsJson = False) -> None:
    """Turn a version down that is not approved yet."""
    _step(name, version, "rejected", actor, note, as_json)


@policy.command("withdraw")
def withdraw(name: Name, version: Number, actor: Actor, note: Note, as_json: AsJson = False) -> None:
    """Take a proposal of one's own back."""
    _step(name, version, "withdrawn", actor, note, as_json)


def _step(name: str, version: int, step: Step, actor: str, note: str, as_json: bool) -> None:
    if not actor.strip() or not note.strip():
        raise ConfigurationError("a step needs a name (--as) and a note (--note)")
    work = _done(lambda transaction: take_step(transaction, name, version, step, actor.strip(), note, "console"))
    _tell(work, as_json)


def _tell(revision: Revision, as_json: bool) -> None:
    whole = revision._asdict() | {"history": [each._asdict() for each in revision.history]}
    short = {name: value for name, value in whole.items() if name != "history"}
    show([whole if as_json else short], as_json)


@policy.command("diff")
def diff(
    name: Name,
    version: Number,
    against: Annotated[
        int | None, typer.Option(help="The version to compare with; else the approved one before.")
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="Compare the files line by line.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a version says differently from another one."""

    async def look(transaction: Transaction) -> tuple[int, str, str]:
        other = against if against is not None else await find_former_version(transaction, name, version)
        if other is None:
            raise ConfigurationError(f"no version before {version} was approved; name one with --against")
        return other, await _whole(transaction, name, other), await _whole(transaction, name, version)

    other, before, after = _done(look)
    if text:
        typer.echo(text_difference(before, after, (f"{name} version {other}", f"{name} version {version}")))
        return
    changes = differences(before, after)
    if as_json:
        show([{**each._asdict()} for each in changes], as_json)
    else:
        typer.echo("\n".join(str(each) for each in changes) or "nothing")


async def _whole(transaction: Transaction, name: str, version: int) -> str:
    row = await store.find_policy_version(transaction, name, version) if 0 < version < 2**31 else None
    if row is None:
        raise ConfigurationError(f"there is no version {version} of a policy {name!r}; `huifang policy list` shows all")
    return str(row["text"])


def _done(work: Callable[[Transaction], Coroutine[Any, Any, Result]]) -> Result:
    """Does `work` in a transaction of the room; a refusal is one line on standard error and exit code 1."""
    try:
        return in_transaction("scheduler", lambda _, transaction: work(transaction))
    except Refusal as refusal:
        typer.echo(str(refusal), err=True)
        raise typer.Exit(1) from None
