import pytest

from scoring.parts import parts
from services.contracts.language.scores import Dimension
from tests.scoring.questionnaires import questionnaire, scale, text, words, yesno
from tests.scoring.test_pages import PACKS


def node(name: str, **under: Dimension) -> Dimension:
    return Dimension(title=words(name), under=under)


TREE = {"house": node("house", safe=node("safe"), clean=node("clean")), "food": node("food"), "repair": node("repair")}
OVERALL, COMMENT = scale("overall", overall=True), text("comment")
HOUSE = [scale("guards", dimension="safe"), scale("stairs", dimension="clean"), scale("parking", dimension="safe")]
FOOD = [
    yesno("eats"),
    scale("taste", dimension="food", ask_when={"eats": (True,)}),
    scale("hygiene", dimension="food", ask_when={"eats": (True,)}),
]
REPAIR = [scale("lift", dimension="repair"), scale("speed", dimension="repair")]


def test_items_stand_under_the_head_of_their_branch_and_what_opens_a_part_with_it() -> None:
    found = parts(questionnaire(OVERALL, *HOUSE, *FOOD, *REPAIR, COMMENT), TREE)
    assert [(part.title.en if part.title else None, [item.id for item in part.items]) for part in found] == [
        (None, ["overall"]),
        ("house", ["guards", "stairs", "parking"]),
        ("food", ["eats", "taste", "hygiene"]),
        ("repair", ["lift", "speed"]),
        (None, ["comment"]),
    ]


@pytest.mark.parametrize(
    "items",
    [
        [OVERALL, *HOUSE, *REPAIR, COMMENT],
        [OVERALL, *HOUSE, *REPAIR, scale("night", dimension="safe"), COMMENT],
        [OVERALL, *HOUSE, scale("day", dimension="safe"), scale("night", dimension="safe"), scale("x"), COMMENT],
    ],
    ids=["few", "scattered", "one part"],
)
def test_headings_are_left_out_where_they_do_not_help(items: list[object]) -> None:
    asked = questionnaire(*items)  # type: ignore[arg-type]
    (whole,) = parts(asked, TREE)
    assert (whole.title, whole.items) == (None, asked.items)


def test_without_a_tree_there_are_no_parts() -> None:
    assert len(parts(questionnaire(OVERALL, *HOUSE, *FOOD, *REPAIR), {})) == 1


def test_no_item_of_any_pack_is_lost_or_moved() -> None:
    for pack in PACKS:
        for asked in pack.questionnaires.values():
            assert tuple(item for part in parts(asked, pack.dimensions) for item in part.items) == asked.items
