"""The scheduler, wired; and the policies that are put in force at its start."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import structlog

from scheduler import api, store
from scheduler.handlers import HANDLERS, TICKS
from scheduler.handlers.open_surveys import OpenSurveys
from scheduler.handlers.policies import new_version
from scheduler.revision import installed
from scheduler.store import NewVersion
from services.contracts.policy import PolicyError, parse_policy, read_policy
from services.contracts.surveys import PolicyApproved
from services.database import Transaction
from services.errors import ConfigurationError
from services.house import House
from services.room import Room
from services.tick import Tick

log = structlog.get_logger(__name__)

DEFAULT = "itss-incident.yaml"
ANNOUNCE_SECONDS = 3600.0
OPEN_SURVEYS_SECONDS = 1.0


class Policies:
    """The installation's policy files: put in force where they are new or changed, and said again every hour.

    They are approved by what their own `approval` says. A file that did not change since it was installed last leaves
    alone what was approved here meanwhile.
    """

    def __init__(self, versions: Iterable[NewVersion]) -> None:
        self._versions = tuple(versions)

    async def keep(self, house: House, transaction: Transaction) -> int:
        """Installs what is new and says every policy in force, for rooms that have forgotten or never heard it."""
        for new in self._versions:
            history = installed(read_policy(new.document), transaction.now)
            version = await store.insert_policy_version(transaction, new, history)
            if version is not None:
                log.info("policy_installed", policy=new.policy, version=version)
        for row in await store.find_policies_in_force(transaction):
            transaction.say(PolicyApproved(**row))
        return 0


def read_policies(folder: Path | None) -> list[NewVersion]:
    """The policies of a folder, or the default pack. Raises `ConfigurationError` with everything that is wrong."""
    policies: dict[str, NewVersion] = {}
    findings: list[str] = []
    for file in _policy_files(folder):
        try:
            new = _new_version(file)
        except PolicyError as error:
            findings.extend(error.lines)
            continue
        if new.policy in policies:
            findings.append(f"{file}: the policy {new.policy!r} stands in another file, too; keep one of them")
        policies[new.policy] = new
    if findings:
        raise ConfigurationError("\n".join(findings))
    return list(policies.values())


def _policy_files(folder: Path | None) -> list[Traversable]:
    if folder is None:
        return [files("policies").joinpath(DEFAULT)]
    found: list[Traversable] = [*sorted(folder.glob("*.yaml"))]
    if not found:
        raise ConfigurationError(f"HUIFANG_POLICIES: no *.yaml in {folder}; without a policy nobody is ever asked")
    return found


def _new_version(file: Traversable) -> NewVersion:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: cannot be read as UTF-8: {error}") from error
    return new_version(text, parse_policy(text, str(file)))


@asynccontextmanager
async def open_room(house: House) -> AsyncIterator[Room]:
    """The room. Raises `ConfigurationError` where a policy file is wrong."""
    policies = Policies(read_policies(house.settings.policies))
    yield Room(
        name="scheduler",
        handlers=HANDLERS,
        ticks=(
            Tick(name="keep_policies", every=ANNOUNCE_SECONDS, run=policies.keep),
            Tick(name="say_open_surveys", every=OPEN_SURVEYS_SECONDS, run=OpenSurveys().say),
            *TICKS,
        ),
        routers=api.ROUTERS,
    )
