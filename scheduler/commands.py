"""`huifang policy …`: a policy file, checked before anybody proposes it."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from scheduler.wording import lint, read_lexicon
from services.command_line import AsJson, show
from services.contracts.policy import Policy, PolicyError, parse_policy
from services.errors import ConfigurationError

policy = typer.Typer(name="policy", help="Policies: the company's rules, as a file.", no_args_is_help=True)
COMMANDS = (policy,)


@policy.callback()
def _group() -> None:
    """Keeps `policy` a group, however few commands it has."""


@policy.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="The policy, a YAML file.")],
    as_json: AsJson = False,
) -> None:
    """Name every error with file, line, column and remedy; then remark on wording, which a person decides about."""
    found = read(file)
    lexicon = read_lexicon(files("scheduler").joinpath("wording.yaml").read_text(encoding="utf-8"))
    remarks: list[dict[str, object]] = [
        {
            "at": ".".join(str(part) for part in each.at),
            "rule": each.rule,
            "found": each.found,
            "advice": each.advice.en,
            "advice_zh": each.advice.zh,
        }
        for each in lint(found, lexicon)
    ]
    if as_json:
        show(remarks, as_json)
        return
    asked = f"{len(found.surveys)} surveys, {len(found.questionnaires)} questionnaires"
    typer.echo(f"{file}: policy {found.policy!r} is well formed ({asked})")
    if remarks:
        show(remarks, as_json)


def read(file: Path) -> Policy:
    """The policy of a file. Raises `ConfigurationError` with every finding."""
    try:
        return parse_policy(file.read_text(encoding="utf-8"), str(file))
    except PolicyError as error:
        raise ConfigurationError(str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: cannot be read as UTF-8 text: {error}") from None
