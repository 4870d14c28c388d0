import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.response import TEXT_MOST, Answer, Fault, clean, is_asked, read, texts, values
from services.contracts.questionnaire import SCALES, Questionnaire
from tests.scoring.questionnaires import EVERY_KIND, choice, questionnaire, scale, text, yesno

OVERALL = questionnaire(scale("overall", overall=True, required=True), scale("speed", na=True), text("comment"))

FULL = [
    ("overall", "5"),
    ("speed", "X"),
    ("attitude", "4"),
    ("skill", "10"),
    ("quality", "0"),
    ("worth", "1"),
    ("friend", "0"),
    ("effort", "7"),
    ("solved", "no"),
    ("channel", "mail"),
    ("topics", "manner"),
    ("topics", "price"),
    ("price", "too high"),
    ("comment", "谢谢"),
]


def test_every_kind_of_item_is_read() -> None:
    reading = read(EVERY_KIND, FULL)
    assert reading.faults == {}
    assert reading.answers == {
        "overall": 5,
        "speed": "X",
        "attitude": 4,
        "skill": 10,
        "quality": 0,
        "worth": 1,
        "friend": 0,
        "effort": 7,
        "solved": False,
        "channel": "mail",
        "topics": ("price", "manner"),
        "price": "too high",
        "comment": "谢谢",
    }


def test_numbers_go_into_scores_and_words_do_not() -> None:
    answers = read(EVERY_KIND, FULL).answers
    numbers = values(EVERY_KIND, answers)
    assert "speed" not in numbers
    assert numbers["speed.X"] == 1
    assert numbers["solved"] == 0
    assert numbers["channel.mail"] == numbers["topics.price"] == numbers["topics.manner"] == 1
    assert "comment" not in numbers
    assert texts(EVERY_KIND, answers) == {"price": "too high", "comment": "谢谢"}


@pytest.mark.parametrize("sent", ["0", "6", "-1", "3.5", "5 ", " 5", "٥", "5\n", "05", "+5", "５", "five", "true", "X"])
def test_a_rating_is_a_mark_of_its_scale_or_an_error(sent: str) -> None:
    assert read(OVERALL, [("overall", sent)]).faults == {"overall": "not_a_choice"}


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ([], "missing"),
        ([("overall", "")], "missing"),
        ([("overall", "5"), ("overall", "1")], "repeated"),
        ([("overall", "5"), ("overall", "5")], "repeated"),
        ([("overall", ""), ("overall", "5")], "repeated"),
    ],
)
def test_a_required_rating_stands_once(fields: list[tuple[str, str]], fault: Fault) -> None:
    assert read(OVERALL, fields).faults == {"overall": fault}


def test_an_empty_value_is_no_way_to_leave_a_rating_out() -> None:
    assert read(OVERALL, [("overall", "5"), ("speed", "")]).faults == {"speed": "not_a_choice"}
    assert read(OVERALL, [("overall", "5")]).faults == {}


def test_a_fault_keeps_the_other_answers_to_show_them_again() -> None:
    reading = read(OVERALL, [("speed", "3"), ("comment", "slow")])
    assert reading == ({"speed": 3, "comment": "slow"}, {"overall": "missing"})


def test_not_applicable_is_an_answer_only_where_it_is_offered() -> None:
    assert read(OVERALL, [("overall", "5"), ("speed", "X")]).answers["speed"] == "X"
    assert read(OVERALL, [("overall", "5"), ("speed", "x")]).faults == {"speed": "not_a_choice"}


LOW_NEEDS_WORDS = questionnaire(
    scale("overall", required=True),
    text("reason", required=True, ask_when={"overall": (1, 2)}),
    yesno("call", ask_when={"overall": (1,)}),
    choice("when", "morning", "evening", ask_when={"call": (True,)}, required=True),
)


@pytest.mark.parametrize(("rating", "faults"), [("1", {"reason": "missing"}), ("2", {"reason": "missing"}), ("3", {})])
def test_a_low_score_must_be_explained(rating: str, faults: dict[str, Fault]) -> None:
    assert read(LOW_NEEDS_WORDS, [("overall", rating), ("reason", "\u200b  \n")]).faults == faults


def test_what_was_not_asked_is_left_out() -> None:
    answers = read(LOW_NEEDS_WORDS, [("overall", "4"), ("reason", "?"), ("call", "yes"), ("when", "morning")]).answers
    assert answers == {"overall": 4}


def test_conditions_follow_each_other() -> None:
    sent = [("overall", "1"), ("reason", "slow"), ("call", "yes")]
    assert read(LOW_NEEDS_WORDS, sent).faults == {"when": "missing"}
    assert read(LOW_NEEDS_WORDS, [*sent, ("when", "evening")]).answers["when"] == "evening"
    assert "when" not in read(LOW_NEEDS_WORDS, [("overall", "1"), ("reason", "slow"), ("call", "no")]).faults


def test_yes_is_not_the_number_one() -> None:
    asked = text("why", ask_when={"rate": (True,)})
    assert not is_asked(asked, {"rate": 1})
    assert is_asked(asked, {"rate": True})


def test_a_condition_on_several_choices_holds_when_one_of_them_was_chosen() -> None:
    assert "price" in read(EVERY_KIND, FULL).answers
    without = [field for field in FULL if field != ("topics", "price")]
    assert "price" not in read(EVERY_KIND, without).answers


@pytest.mark.parametrize(("sent", "fault"), [(("speed", "speed"), "repeated"), (("speed", "rm -rf"), "not_a_choice")])
def test_several_choices_are_options_each_once(sent: tuple[str, str], fault: Fault) -> None:
    assert read(EVERY_KIND, [("overall", "5"), *(("topics", each) for each in sent)]).faults == {"topics": fault}


def test_unknown_fields_change_nothing() -> None:
    assert read(OVERALL, [("overall", "5"), ("__proto__", "1"), ("role", "admin")]).answers == {"overall": 5}


@pytest.mark.parametrize(
    "sent",
    [
        "<script>alert(1)</script>",
        "{{7*7}}",
        "=cmd|' /C calc'!A0",
        "\u202egnp.exe",
        "\U0001f469\u200d\U0001f469\u200d\U0001f467",
        "مرحبا",
        "e\u0301",
        "a\n\tb",
    ],
)
def test_text_is_kept_as_it_was_written(sent: str) -> None:
    assert read(OVERALL, [("overall", "5"), ("comment", sent)]).answers["comment"] == sent


@pytest.mark.parametrize("sent", ["", "  \n", "\u200b\u200d\u2060", "\ufeff", "\x00", "ㅤ", "\u202e", "\u2800", "\u0301"])
def test_text_in_which_nothing_can_be_seen_is_none(sent: str) -> None:
    assert "comment" not in read(OVERALL, [("overall", "5"), ("comment", sent)]).answers


def test_what_postgresql_cannot_keep_is_taken_out() -> None:
    assert clean("a\x00b\x07c\x7f\ud800d\r\ne\rf") == "abcd\ne\nf"


def test_text_has_a_limit_and_is_kept_for_shortening() -> None:
    full = "好" * TEXT_MOST
    assert read(OVERALL, [("overall", "5"), ("comment", full)]).answers["comment"] == full
    reading = read(OVERALL, [("overall", "5"), ("comment", full + "!")])
    assert reading.faults == {"comment": "too_long"}
    assert reading.answers["comment"] == full + "!"


FIELDS = st.lists(
    st.tuples(
        st.sampled_from([item.id for item in EVERY_KIND.items] + ["other"]),
        st.one_of(st.text(), st.sampled_from(["0", "1", "2", "5", "10", "X", "yes", "no", "mail", "price"])),
    ),
    max_size=40,
)


def _is_allowed(asked: Questionnaire, name: str, answer: Answer) -> bool:
    item = next(item for item in asked.items if item.id == name)
    if item.kind == "scale" and item.scale:
        return answer in SCALES[item.scale].values or (item.na and answer == "X")
    if item.kind == "yesno":
        return isinstance(answer, bool)
    options = {option.id for option in item.options}
    if item.kind == "choice":
        return answer in options
    if item.kind == "choices":
        return isinstance(answer, tuple) and set(answer) <= options and len(set(answer)) == len(answer) > 0
    return isinstance(answer, str) and "\x00" not in answer and len(answer) <= TEXT_MOST


@given(FIELDS)
def test_whatever_comes_is_an_allowed_answer_or_a_fault(fields: list[tuple[str, str]]) -> None:
    reading = read(EVERY_KIND, fields)
    assert all(_is_allowed(EVERY_KIND, name, answer) for name, answer in reading.answers.items())
    assert reading.faults or "overall" in reading.answers
    values(EVERY_KIND, reading.answers)


@given(st.text())
def test_cleaning_twice_is_cleaning_once(sent: str) -> None:
    assert clean(clean(sent)) == clean(sent)
    clean(sent).encode()
