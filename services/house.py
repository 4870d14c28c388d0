"""What every room stands on while it runs."""

from dataclasses import dataclass

from services.clock import Clock
from services.database import Database
from services.seal import Seal
from services.settings import Settings


@dataclass(frozen=True, slots=True)
class House:
    """The installation's settings, its clock, its database and its seal."""

    settings: Settings
    clock: Clock
    database: Database
    seal: Seal
