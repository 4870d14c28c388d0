"""`huifang policy …`: a policy file, checked before anybody proposes it, and its way into force."""

import sys
from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from pydantic_core import PydanticCustomError

from scheduler import store
from scheduler.calendar import almanac
from scheduler.difference import differences, text_difference
from scheduler.handlers.policies import new_version, propose, remarks_on, take_step
from scheduler.handlers.simulations import recall
from scheduler.revision import LARGEST, Refusal, Revision, Step
from scheduler.simulation.conduct import Conduct
from scheduler.simulation.past import File as PastFile
from scheduler.simulation.past import PastError, read_past
from scheduler.simulation.poster import meter, poster
from scheduler.simulation.recount import table
from scheduler.simulation.summary import lines
from scheduler.simulation.trial import Play, SpanError, Trial, outcome_of, play_of, span_of
from scheduler.simulation.words import WORDS
from scheduler.store.policies import find_former_version, list_policy_steps
from services.command_line import AsJson, in_transaction, show
from services.contracts.policy import Policy, PolicyError, parse_policy
from services.contracts.quantities import read_share
from services.database import Transaction
from services.errors import ConfigurationError
from services.pages import render

policy = typer.Typer(name="policy", help="Policies: the company's rules, as a file.", no_args_is_help=True)
COMMANDS = (policy,)

EXIT_DATA = 65
"""As in sysexits: a file is wrong."""
EXIT_OUTPUT = 73
"""As in sysexits: a file cannot be written."""
PATIENCE_SECONDS = 2.0
DAY = ["%Y-%m-%d"]

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


@policy.command("simulate")
def simulate(
    file: File,
    tickets: Annotated[Path | None, typer.Option(help="Past tickets: CSV, or a ServiceNow log of incidents.")] = None,
    customers: Annotated[Path | None, typer.Option(help="The customer register as CSV, as it is imported.")] = None,
    database: Annotated[bool, typer.Option("--database", help="Play what the scheduler's database has heard.")] = False,
    begin: Annotated[datetime | None, typer.Option("--from", formats=DAY, help="The first day.")] = None,
    end: Annotated[datetime | None, typer.Option("--to", formats=DAY, help="The day after the last.")] = None,
    answer_rate: Annotated[str, typer.Option(help="How many answer a message.")] = "30%",
    seed: Annotated[str, typer.Option(help="Another seed, another luck.")] = "1",
    html: Annotated[Path | None, typer.Option(help="Write a page with charts.")] = None,
    decisions: Annotated[Path | None, typer.Option(help="Write every decision and contact as CSV.")] = None,
    as_json: AsJson = False,
) -> None:
    """Play a year of past tickets and the register through a policy: who would be asked, when, and with how much work.

    By the rules that run in earnest, on a clock of its own. Nothing is sent, nothing is stored.
    """
    found = _sound(lambda: parse_policy(_text(file), str(file)))
    zone = almanac(found.calendar).zone
    start, until = (None if day is None else day.replace(tzinfo=zone) for day in (begin, end))
    past = (
        in_transaction("scheduler", lambda _, transaction: recall(transaction, start, until))
        if database
        else _sound(lambda: read_past(_file(tickets), _file(customers), zone))
    )
    answers = _sound(lambda: read_share(answer_rate))
    trial = Trial(found, past, *_sound(lambda: span_of(found, past, start, until)), Conduct(seed, answers))
    play = play_of(trial)
    _play(play)
    outcome = outcome_of(play)
    if html is not None:
        values = {"outcome": outcome, "charts": poster(outcome), "words": WORDS, "meter": meter}
        _write(html, [render("scheduler", "trial.html", **values)])
    if decisions is not None:
        _write(decisions, table(play))
    typer.echo(msgspec.json.encode(outcome).decode() if as_json else "\n".join(lines(outcome)))


def _sound(read: Callable[[], Result]) -> Result:
    """What is read; a file or a value that is wrong is told in full, with exit code 65."""
    try:
        return read()
    except (PolicyError, PastError, SpanError, PydanticCustomError, ConfigurationError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_DATA) from None


def _file(path: Path | None) -> PastFile | None:
    try:
        return None if path is None else PastFile(str(path), path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None


def _write(path: Path, text: Iterable[str]) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as out:
            out.writelines(text)
    except OSError as error:
        typer.echo(f"{path}: cannot be written: {error.strerror}", err=True)
        raise typer.Exit(EXIT_OUTPUT) from None


def _play(play: Play) -> None:
    """Plays a trial; on a terminal it tells how far it is once that takes longer than two seconds."""
    start, end, began = play.trial.start.date(), play.trial.end.date(), monotonic()
    for day in play.world.play():
        if sys.stderr.isatty() and monotonic() - began > PATIENCE_SECONDS:
            done = min(1.0, (day - start) / (end - start))
            typer.echo(f"\r{'#' * round(40 * done):40} {100 * done:3.0f} %  {day}", err=True, nl=False)
    if sys.stderr.isatty():
        typer.echo("\r\x1b[2K", err=True, nl=False)
