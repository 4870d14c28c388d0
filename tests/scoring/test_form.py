import re

import pytest

from scoring.form import Field, Look, conditions, control_id, fields, sections, title_conditions
from scoring.parts import Part
from scoring.response import Answers, choices
from services.contracts.questionnaire import Locale, Questionnaire
from tests.scoring.questionnaires import EVERY_KIND, questionnaire, scale, text, words, yesno


def drawn(asked: Questionnaire = EVERY_KIND, locale: Locale = "en", answers: Answers | None = None) -> dict[str, Field]:
    return {field.name: field for field in fields(asked, locale, answers or {}, {})}


@pytest.mark.parametrize(
    ("item", "look"),
    [
        ("overall", "list"),
        ("speed", "faces"),
        ("attitude", "stars"),
        ("skill", "bands"),
        ("quality", "list"),
        ("worth", "numbers"),
        ("friend", "numbers"),
        ("effort", "numbers"),
        ("solved", "tiles"),
        ("channel", "rows"),
        ("topics", "several"),
        ("comment", "text"),
    ],
)
def test_every_kind_has_its_look(item: str, look: Look) -> None:
    assert drawn()[item].look == look


def test_words_stand_best_first_and_numbers_rise() -> None:
    form = drawn()
    assert [choice.label for choice in form["overall"].choices][::4] == ["Very satisfied", "Very dissatisfied"]
    for item in ("attitude", "worth", "friend", "effort"):
        numbers = [int(choice.value) for choice in form[item].choices]
        assert numbers == sorted(numbers)


def test_every_answer_has_one_control_of_its_own() -> None:
    form = drawn()
    controls = [
        choice
        for field in form.values()
        for choice in (*field.choices, *((field.not_applicable,) if field.not_applicable else ()))
    ]
    assert len({control.id for control in controls}) == len(controls)
    assert len(controls) == sum(len(choices(item)) for item in EVERY_KIND.items)
    tricky = questionnaire(scale("a"), scale("a-1"), yesno("a-1-1"))
    ids = [control_id(item, value) for item in tricky.items for value in choices(item)]
    assert len(set(ids)) == len(ids)


def test_faces_have_their_word_beside_them() -> None:
    best = drawn(locale="zh")["speed"].choices[0]
    assert (best.sign, best.label) == ("😀", "非常满意")


def test_the_ten_points_stand_in_five_bands() -> None:
    bands = drawn(locale="zh")["skill"].bands
    assert [(band.words, [choice.value for choice in band.choices]) for band in bands] == [
        ("非常满意", ["10"]),
        ("满意", ["9", "8"]),
        ("一般", ["7", "6"]),
        ("不满意", ["5", "4"]),
        ("非常不满意", ["3", "2", "1", "0"]),
    ]


def test_bare_numbers_have_words_at_their_ends() -> None:
    form = drawn()
    assert form["friend"].ends == ("Not at all likely", "Extremely likely")
    assert form["attitude"].ends == ("Very dissatisfied", "Very satisfied")
    own = questionnaire(scale("effort", "ces", ends={"worst": words("hard"), "best": words("easy")}))
    assert drawn(own)["effort"].ends == ("hard", "easy")


def test_answers_are_shown_as_given() -> None:
    form = drawn(answers={"overall": 2, "speed": "X", "solved": False, "topics": ("speed", "price"), "comment": "<b>"})

    def checked(item: str) -> list[str]:
        return [choice.value for choice in form[item].choices if choice.state]

    assert checked("overall") == ["2"]
    assert form["speed"].not_applicable
    assert form["speed"].not_applicable.state == " checked"
    assert checked("solved") == ["no"]
    assert checked("topics") == ["speed", "price"]
    assert checked("attitude") == []
    assert form["comment"].text == "<b>"


def test_faults_say_what_to_do_and_lead_to_the_control() -> None:
    form = {field.name: field for field in fields(EVERY_KIND, "en", {}, {"overall": "missing", "comment": "too_long"})}
    assert (form["overall"].fault, form["overall"].first_id) == ("Choose an answer", "c-overall-0")
    assert (form["comment"].fault, form["comment"].first_id) == (
        "Shorten your answer to 2,000 characters or fewer",
        "t-comment",
    )


def test_a_condition_is_told_in_the_words_of_the_page() -> None:
    assert drawn()["reason"].condition == "Only if you answered above: Dissatisfied / Very dissatisfied"
    assert drawn(locale="zh")["price"].condition == "仅在以上选择以下答案时填写：price（中）"


def test_conditions_become_selectors_of_the_controls() -> None:
    assert conditions(EVERY_KIND) == {
        "reason": ("#c-overall-3:checked,#c-overall-4:checked",),
        "price": ("#c-topics-1:checked",),
    }


def test_an_item_behind_a_hidden_one_is_hidden_too() -> None:
    asked = questionnaire(
        scale("rate"),
        yesno("call", ask_when={"rate": (1,)}),
        text("when", ask_when={"call": (True,)}),
    )
    assert conditions(asked)["when"] == ("#c-call-0:checked", "#c-rate-4:checked")


def test_selectors_need_no_escaping() -> None:
    for needed in conditions(EVERY_KIND).values():
        assert all(re.fullmatch(r"#[a-z0-9_-]+:checked(,#[a-z0-9_-]+:checked)*", each) for each in needed)


def test_a_part_is_hidden_when_all_its_items_are_asked_on_the_same_condition() -> None:
    asked = questionnaire(
        yesno("eats"),
        scale("taste", ask_when={"eats": (True,)}),
        scale("hygiene", ask_when={"eats": (True,)}),
        scale("lift"),
    )
    _, *canteen, lift = asked.items
    divided = [Part("food", words("Food"), tuple(canteen)), Part("house", words("House"), (lift,))]
    assert title_conditions(divided, conditions(asked)) == {"food": ("#c-eats-0:checked",)}
    assert title_conditions([Part("all", None, tuple(canteen))], conditions(asked)) == {}
    drawn_fields = fields(asked, "zh", {}, {})
    assert [(each.id, each.title, len(each.fields)) for each in sections(divided, drawn_fields, "zh")] == [
        ("food", "Food（中）", 2),
        ("house", "House（中）", 1),
    ]
