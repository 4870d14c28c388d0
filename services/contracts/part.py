"""What every mapping of the policy file is made of, and how it says what is wrong."""

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

SEVERAL = "several_refused"
"""The type of an error that holds several faults, in its context as `faults`."""


class Fault(NamedTuple):
    """Something that is wrong at `at`, a path from where it is raised, and what to do about it."""

    message: str
    remedy: str
    at: tuple[str | int, ...] = ()


def wrong(message: str, remedy: str, at: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """An error that says what is wrong and what to do about it; `at` leads deeper to where it stands."""
    return PydanticCustomError("refused", "{message}", {"message": message, "remedy": remedy, "at": at})


def wrong_in_places(faults: Sequence[Fault]) -> PydanticCustomError:
    """One error for several faults."""
    message = "; ".join(fault.message for fault in faults)
    return PydanticCustomError(SEVERAL, "{message}", {"message": message, "faults": tuple(faults)})


class Part(BaseModel):
    """A mapping of the policy file: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
