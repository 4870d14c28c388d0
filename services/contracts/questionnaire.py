"""Questionnaires: items, scales and wording, as the policy declares them and the page asks them."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from services.contracts.part import Part, wrong

Locale = Literal["zh", "en"]
LOCALES: tuple[Locale, ...] = ("zh", "en")

ScaleName = Literal["likert5", "ten-bands", "quality5", "ten", "faces", "stars", "nps", "ces"]
NOT_APPLICABLE = "X"


class Words(Part):
    """The same text in both languages of the house."""

    zh: str = Field(min_length=1)
    """In Chinese."""
    en: str = Field(min_length=1)
    """In English."""

    def say(self, locale: Locale) -> str:
        return self.zh if locale == "zh" else self.en


class Mark(BaseModel):
    """One point of a scale: its value, and its words where it has any."""

    model_config = ConfigDict(frozen=True)

    value: int
    words: Words | None = None
    sign: str | None = None


class Scale(BaseModel):
    """A scale from best to worst. An answer satisfies from `satisfied_from` up; `top` is the formulas' full mark."""

    model_config = ConfigDict(frozen=True)

    name: ScaleName
    marks: tuple[Mark, ...]
    satisfied_from: int
    scored: bool = True

    @property
    def top(self) -> int:
        return max(mark.value for mark in self.marks)

    @property
    def values(self) -> frozenset[int]:
        return frozenset(mark.value for mark in self.marks)


_FIVE = (
    Words(zh="非常满意", en="Very satisfied"),
    Words(zh="满意", en="Satisfied"),
    Words(zh="一般", en="Neutral"),
    Words(zh="不满意", en="Dissatisfied"),
    Words(zh="非常不满意", en="Very dissatisfied"),
)
_QUALITY = (
    Words(zh="很满意", en="Very satisfied"),
    Words(zh="比较满意", en="Fairly satisfied"),
    Words(zh="满意", en="Satisfied"),
    Words(zh="不满意", en="Dissatisfied"),
    Words(zh="非常不满意", en="Very dissatisfied"),
)
_FACES = ("😀", "🙂", "😐", "🙁", "😞")
_TEN_BANDS = {10: 0, 9: 1, 8: 1, 7: 2, 6: 2, 5: 3, 4: 3, 3: 4, 2: 4, 1: 4, 0: 4}


def _named(values: tuple[int, ...], words: tuple[Words, ...], signs: tuple[str, ...] | None = None) -> tuple[Mark, ...]:
    return tuple(
        Mark(value=value, words=word, sign=signs[place] if signs else None)
        for place, (value, word) in enumerate(zip(values, words, strict=True))
    )


def _numbers(best: int, worst: int) -> tuple[Mark, ...]:
    return tuple(Mark(value=value) for value in range(best, worst - 1, -1))


SCALES: dict[ScaleName, Scale] = {
    scale.name: scale
    for scale in (
        Scale(name="likert5", marks=_named((5, 4, 3, 2, 1), _FIVE), satisfied_from=4),
        Scale(
            name="ten-bands",
            marks=tuple(Mark(value=v, words=_FIVE[band]) for v, band in _TEN_BANDS.items()),
            satisfied_from=8,
        ),
        Scale(name="quality5", marks=_named((10, 8, 6, 3, 0), _QUALITY), satisfied_from=6),
        Scale(name="ten", marks=_numbers(10, 1), satisfied_from=8),
        Scale(name="faces", marks=_named((5, 4, 3, 2, 1), _FIVE, _FACES), satisfied_from=4),
        Scale(
            name="stars", marks=_named((5, 4, 3, 2, 1), _FIVE, ("★★★★★", "★★★★", "★★★", "★★", "★")), satisfied_from=4
        ),
        Scale(name="nps", marks=_numbers(10, 0), satisfied_from=9),
        Scale(name="ces", marks=_numbers(7, 1), satisfied_from=5),
    )
}

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]


class Option(Part):
    """One choice of a `choice` or `choices` item."""

    id: Identifier
    """Its short name; it stands in data and conditions."""
    text: Words
    """What the customer reads."""


class Ends(Part):
    """Words for the two ends of a scale that has only numbers."""

    worst: Words
    """At the lowest number."""
    best: Words
    """At the highest number."""


Check = Literal["leading", "loaded", "pressure", "double", "negative", "absolute", "length", "translation"]
"""What the lint of wording looks for (scheduler/wording.yaml)."""


class Item(Part):
    """One question. `scale` items are scored; the other kinds are not.

    `ask_when` shows the item only when every named item has one of the listed answers; an item that is not shown is
    neither required nor counted. `na` offers "not applicable". `overall` marks the item that judges the whole.
    """

    id: Identifier
    """Its short name; it stands in data and conditions."""
    kind: Literal["scale", "yesno", "choice", "choices", "text"] = "scale"
    """`scale`, `yesno`, `choice` (one of the options), `choices` (any of them), or `text`."""
    text: Words
    """The question."""
    help: Words | None = None
    """A line below the question that explains it."""
    scale: ScaleName | None = None
    """The scale of a `scale` item."""
    ends: Ends | None = None
    """Words for the ends of a scale of numbers: `ten`, `nps`, `ces`."""
    options: tuple[Option, ...] = ()
    """What a `choice` or `choices` item offers."""
    dimension: Identifier | None = None
    """The dimension that it belongs to."""
    weight: float = Field(default=1.0, gt=0)
    """How much it counts beside the other items."""
    overall: bool = False
    """Whether it judges the whole; one item at most."""
    required: bool = False
    """Whether it must be answered where it is asked."""
    na: bool = False
    """Whether "not applicable" can be answered; such answers are left out of every figure."""
    ask_when: dict[Identifier, tuple[int | str | bool, ...]] = Field(default_factory=dict)
    """Earlier items with the answers to which this one is asked: `{overall: [1, 2]}`."""
    accept: tuple[Check, ...] = ()
    """Warnings about the wording that a person has looked at and does not share."""

    @model_validator(mode="after")
    def _parts_belong_to_the_kind(self) -> Self:
        if (self.kind == "scale") != (self.scale is not None):
            raise wrong(
                f"item {self.id!r}: `scale` belongs to an item of kind scale, which needs it",
                "Add a scale like likert5, or the kind: yesno, choice, choices or text",
            )
        if (self.kind in ("choice", "choices")) != bool(self.options):
            raise wrong(
                f"item {self.id!r}: `options` belong to choice and choices, which need them",
                "Add options, or change the kind",
            )
        if self.kind != "scale" and (self.overall or self.na):
            raise wrong(f"item {self.id!r}: only a scale item can be `overall` or offer `na`", "Remove the key")
        if self.ends is not None and self.scale not in ("ten", "nps", "ces"):
            raise wrong(f"item {self.id!r}: only ten, nps and ces have `ends`", "Remove it", at=("ends",))
        if len({option.id for option in self.options}) < len(self.options):
            raise wrong(f"item {self.id!r}: an option stands twice", "Give each its own id", at=("options",))
        return self

    @property
    def possible(self) -> frozenset[int | str | bool] | None:
        """The answers that can be given, `NOT_APPLICABLE` among them where it is offered; None for free text."""
        if self.scale is not None:
            return SCALES[self.scale].values | ({NOT_APPLICABLE} if self.na else set())
        if self.kind == "yesno":
            return frozenset((True, False))
        return frozenset(option.id for option in self.options) if self.options else None


def _distinct(items: tuple[Item, ...]) -> tuple[Item, ...]:
    seen: dict[str, Item] = {}
    for number, item in enumerate(items):
        if item.id in seen:
            raise wrong(f"item {item.id!r} stands twice", "Give each its own id", at=(number, "id"))
        for name, values in item.ask_when.items():
            _must_be_answerable(item, name, values, seen, number)
        seen[item.id] = item
    if sum(item.overall for item in items) > 1:
        raise wrong("only one item can be `overall`", "Keep the one that judges the whole")
    return items


def _must_be_answerable(
    item: Item, name: str, values: tuple[int | str | bool, ...], earlier: dict[str, Item], number: int
) -> None:
    at = (number, "ask_when", name)
    if name not in earlier:
        raise wrong(
            f"item {item.id!r} is asked when {name!r}, which is not an earlier item", "Name an item above it", at=at
        )
    possible = earlier[name].possible
    impossible = [value for value in values if possible is not None and value not in possible]
    if impossible or not values:
        known = ", ".join(str(each) for each in sorted(possible or (), key=str))
        raise wrong(f"nobody can answer {impossible} to {name!r}", f"Possible are {known}", at=at)


class Questionnaire(Part):
    """What one survey asks. `purpose` stands first, with the promise of confidentiality."""

    title: Words
    """What it is called."""
    purpose: Words
    """Why we ask, that answers are kept confidential, and that nobody has to answer; it is shown first."""
    items: Annotated[tuple[Item, ...], Field(min_length=1), AfterValidator(_distinct)]
    """The questions, in order."""
    thanks: Words | None = None
    """What the customer reads when he has answered."""

    @property
    def overall(self) -> Item | None:
        """The item that judges the whole."""
        return next((item for item in self.items if item.overall), None)
