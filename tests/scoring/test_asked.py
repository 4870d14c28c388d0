from hypothesis import given
from hypothesis import strategies as st

from scoring.asked import narrowed
from tests.scoring.questionnaires import EVERY_KIND, questionnaire, scale, text, yesno

NAMES = [item.id for item in EVERY_KIND.items]
CANTEEN = questionnaire(
    scale("overall", overall=True, required=True),
    yesno("eats"),
    scale("taste", ask_when={"eats": (True,)}),
    text("reason", required=True, ask_when={"overall": (1, 2)}),
    text("why", ask_when={"taste": (1, 2), "eats": (True,)}),
    text("comment"),
)


def asked(*items: str) -> list[str]:
    return [item.id for item in narrowed(CANTEEN, items).items]


def test_no_items_and_unknown_items_ask_everything() -> None:
    assert narrowed(CANTEEN, ()) is CANTEEN
    assert narrowed(CANTEEN, ("of another version",)) is CANTEEN


def test_open_questions_stay_that_depend_on_nothing_outside() -> None:
    assert asked("overall") == ["overall", "reason", "comment"]
    assert asked("eats", "taste") == ["eats", "taste", "why", "comment"]


def test_a_named_item_is_asked_whatever_it_depended_on() -> None:
    taste, comment = narrowed(CANTEEN, ("taste",)).items
    assert (taste.id, taste.ask_when, comment.id) == ("taste", {}, "comment")
    assert narrowed(CANTEEN, ("taste",)).overall is None


@given(st.sets(st.sampled_from(NAMES)))
def test_every_named_item_is_asked_in_order_and_every_condition_can_come_true(items: set[str]) -> None:
    found = narrowed(EVERY_KIND, items)
    names = [item.id for item in found.items]
    assert items <= set(names)
    assert names == [name for name in NAMES if name in names]
    for number, item in enumerate(found.items):
        assert set(item.ask_when) <= set(names[:number])
