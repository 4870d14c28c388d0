"""Grades of customers: points by criteria, ranks, quotas."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from services.contracts.language.names import ShortText
from services.contracts.part import Part, wrong
from services.contracts.quantities import ShareText
from services.contracts.questionnaire import Identifier, Words

GradeName = Literal["A", "B", "C", "D"]


class Points(Part):
    """So many points from a value of the figure on."""

    from_: float = Field(validation_alias="from", serialization_alias="from")
    """The lowest value."""
    points: float = Field(ge=0, le=100)
    """What it earns."""


def _rising(steps: tuple[Points, ...]) -> tuple[Points, ...]:
    floors = [step.from_ for step in steps]
    if floors != sorted(set(floors)):
        raise wrong("the values do not rise", "List the steps from the lowest value to the highest")
    return steps


class Criterion(Part):
    """One thing that earns points: a figure of the register by steps, or one of its fields by words."""

    title: Words
    """What people call it."""
    figure: Identifier | None = None
    """A figure of the customer register, like revenue or years."""
    steps: Annotated[tuple[Points, ...], Field(min_length=1), AfterValidator(_rising)] | None = None
    """Points by the figure's value, rising; below the first step none."""
    field: Literal["tier", "size", "trade", "region"] | None = None
    """A field of the customer register, instead of a figure."""
    values: Annotated[dict[ShortText, Annotated[float, Field(ge=0, le=100)]], Field(min_length=1)] | None = None
    """Points by the field's value; other values earn none."""

    @model_validator(mode="after")
    def _figure_or_field(self) -> Self:
        pairs = ((self.figure, self.steps), (self.field, self.values))
        if any((name is None) != (points is None) for name, points in pairs) or (self.figure is None) == (
            self.field is None
        ):
            raise wrong(
                "a criterion is a figure with steps, or a field with values",
                "Write figure: revenue, steps: […], or field: size, values: {…}",
            )
        return self

    @property
    def most(self) -> float:
        """The most points that it can give."""
        return max([step.points for step in self.steps or ()] + list((self.values or {}).values()))


class Grade(Part):
    """One grade: best first. The last one takes whom no other takes."""

    grade: GradeName
    """A, B, C or D."""
    title: Words
    """What people call it."""
    quota: ShareText | None = None
    """At most this share of the graded customers; without it as many as have the points."""
    from_: float = Field(default=0, ge=0, validation_alias="from", serialization_alias="from")
    """At least so many points."""


class Grading(Part):
    """How customers are graded, once a year: points by criteria, ranked, and cut by points and quota."""

    every: Literal["year"] = "year"
    """Grades hold for a calendar year."""
    criteria: Annotated[dict[Identifier, Criterion], Field(min_length=1)]
    """What earns points. Where points are equal, the criteria decide in this order."""
    grades: Annotated[tuple[Grade, ...], Field(min_length=2)]
    """The grades, best first."""

    @model_validator(mode="after")
    def _best_first(self) -> Self:
        names, floors = [grade.grade for grade in self.grades], [grade.from_ for grade in self.grades]
        if names != sorted(set(names)):
            raise wrong("the grades are not in order", "List them once each: A, B, C, D", at=("grades",))
        if floors != sorted(floors, reverse=True):
            raise wrong("a lower grade asks for more points", "Let `from` fall from A on", at=("grades",))
        if self.grades[-1].quota is not None or floors[-1] != 0:
            raise wrong(
                "the last grade would leave customers out", "Give it neither `quota` nor `from`", at=("grades",)
            )
        if floors[0] > sum(criterion.most for criterion in self.criteria.values()):
            raise wrong("nobody can reach the first grade", "Lower its `from`, or give more points", at=("grades",))
        return self
