"""Questionnaires: items, scales and wording, as the policy declares them and the page asks them."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Locale = Literal["zh", "en"]
LOCALES: tuple[Locale, ...] = ("zh", "en")

ScaleName = Literal["likert5", "ten-bands", "quality5", "ten", "faces", "stars", "nps", "ces"]
NOT_APPLICABLE = "X"


class Words(BaseModel):
    """The same text in both languages of the house."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)

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


class Option(BaseModel):
    """One choice of a `choice` or `choices` item."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Identifier
    text: Words


class Item(BaseModel):
    """One question. `scale` items are scored; the other kinds are not.

    `ask_when` shows the item only when every named item has one of the listed answers; an item that is not shown is
    neither required nor counted. `na` offers "not applicable". `overall` marks the item that judges the whole.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Identifier
    kind: Literal["scale", "yesno", "choice", "choices", "text"] = "scale"
    text: Words
    scale: ScaleName | None = None
    options: tuple[Option, ...] = ()
    dimension: Identifier | None = None
    weight: float = Field(default=1.0, gt=0)
    overall: bool = False
    required: bool = False
    na: bool = False
    ask_when: dict[Identifier, tuple[int | str | bool, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _parts_belong_to_the_kind(self) -> Self:
        if (self.kind == "scale") != (self.scale is not None):
            raise ValueError(f"item {self.id!r}: `scale` belongs to an item of kind scale, which needs it")
        if (self.kind in ("choice", "choices")) != bool(self.options):
            raise ValueError(f"item {self.id!r}: `options` belong to choice and choices, which need them")
        if self.kind != "scale" and (self.overall or self.na):
            raise ValueError(f"item {self.id!r}: only a scale item can be `overall` or offer `na`")
        return self


def _distinct(items: tuple[Item, ...]) -> tuple[Item, ...]:
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise ValueError(f"item {item.id!r} stands twice")
        unknown = set(item.ask_when) - seen
        if unknown:
            raise ValueError(f"item {item.id!r} is asked when {sorted(unknown)}, which is not an earlier item")
        seen.add(item.id)
    if sum(item.overall for item in items) > 1:
        raise ValueError("only one item can be `overall`")
    return items


class Questionnaire(BaseModel):
    """What one survey asks. `purpose` stands first, with the promise of confidentiality."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Words
    purpose: Words
    items: Annotated[tuple[Item, ...], Field(min_length=1), AfterValidator(_distinct)]
    thanks: Words | None = None

    @property
    def overall(self) -> Item | None:
        return next((item for item in self.items if item.overall), None)
