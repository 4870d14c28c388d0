"""What every mapping of the policy file is made of, and how it says what is wrong."""

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


def wrong(message: str, remedy: str, at: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """An error that says what is wrong and what to do about it; `at` leads deeper to where it stands."""
    return PydanticCustomError("refused", "{message}", {"message": message, "remedy": remedy, "at": at})


class Part(BaseModel):
    """A mapping of the policy file: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
