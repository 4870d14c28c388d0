"""Conditions on an answer, by which it is asked again or followed up."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from services.contracts.part import Part, wrong
from services.contracts.questionnaire import Identifier

AnswerValues = Annotated[tuple[int | str | bool, ...], Field(min_length=1)]


class When(Part):
    """What must be true of an answer: everything that is named here, or everything that is named under `or`.

    "Dissatisfied" is an item below its scale's own border (below 4 of 5, 8 of 10, 6 on 10/8/6/3/0), or a response
    whose overall item, or whose score where there is none, is below it.
    """

    answers: Annotated[dict[Identifier, AnswerValues], Field(min_length=1)] | None = None
    """Items by id, each with the answers that count: `{overall: [1, 2]}`."""
    any_item: Literal["dissatisfied"] | None = None
    """At least one item was answered below its scale's border."""
    any_item_below: float | None = Field(default=None, ge=0, le=10)
    """At least one item was answered below this value, on the item's own scale."""
    response: Literal["dissatisfied"] | None = None
    """The response as a whole is dissatisfied."""
    score_below: float | None = Field(default=None, gt=0, le=100)
    """The response's score, from 0 to 100, is below this."""
    comment: Literal["present"] | None = None
    """The customer wrote something."""
    or_: "When | None" = Field(default=None, validation_alias="or", serialization_alias="or")
    """The other possibility: the same keys again."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if all(getattr(self, name) is None for name in type(self).model_fields if name != "or_"):
            raise wrong("a condition that says nothing", "Name one, like response: dissatisfied or comment: present")
        return self
