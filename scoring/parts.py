"""The parts of a questionnaire: items of one dimension under its title, where that reads naturally. Pure."""

from collections.abc import Mapping
from itertools import groupby
from typing import Final, NamedTuple

from services.contracts.language.scores import Dimension
from services.contracts.questionnaire import Item, Questionnaire, Words

ITEMS_LEAST: Final = 6
"""A shorter questionnaire needs no headings."""
EACH_LEAST: Final = 2
"""Nor does one whose parts have fewer items than this on average: there the questions speak for themselves."""


class Part(NamedTuple):
    """Items that stand together; `title` is that of their dimension at the head of the tree, None for loose items."""

    id: str
    title: Words | None
    items: tuple[Item, ...]


def parts(questionnaire: Questionnaire, dimensions: Mapping[str, Dimension]) -> tuple[Part, ...]:
    """The questionnaire cut into its parts: one without a title where headings would not help.

    They help where every dimension's items stand together, and there are enough of them. An item without a dimension
    on which the next part depends opens that part.
    """
    whole = (Part("all", None, questionnaire.items),)
    heads = _heads(dimensions)
    places = [heads.get(item.dimension or "", "") for item in questionnaire.items]
    for number in reversed(range(len(places) - 1)):
        if not places[number] and questionnaire.items[number].id in questionnaire.items[number + 1].ask_when:
            places[number] = places[number + 1]
    runs = [
        Part(name, dimensions[name].title if name else None, tuple(item for _, item in run))
        for name, run in groupby(zip(places, questionnaire.items, strict=True), lambda placed: placed[0])
    ]
    titled = [part for part in runs if part.title]
    apart = len({part.id for part in titled}) == len(titled) > 1
    size = sum(len(part.items) for part in titled)
    return tuple(runs) if apart and size >= max(ITEMS_LEAST, EACH_LEAST * len(titled)) else whole


def _heads(dimensions: Mapping[str, Dimension]) -> dict[str, str]:
    """Every dimension of the tree with the one at the head of its branch."""
    return {name: head for head, node in dimensions.items() for name in (head, *_below(node))}


def _below(node: Dimension) -> list[str]:
    return [name for child, below in node.under.items() for name in (child, *_below(below))]
