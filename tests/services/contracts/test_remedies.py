"""What newcomers got wrong is told once, where it stands, with a remedy that helps."""

import pytest

from services.contracts.quantities import not_shorter, read_span
from tests.services.contracts.drafts import changed, read, refused, with_more

STEPS = "send: {after: 2h, within: 2d}\n    steps: [{first: [sms, email]}]"


def with_steps(send: str, *more: str) -> str:
    return changed(STEPS, f"send: {{{send}}}\n    steps: [{', '.join(('{first: [sms]}', *more))}]\n    expires: 30d")


@pytest.mark.parametrize(
    ("one", "other", "is_so"),
    [
        ("10 working days", "5 working days", True),
        ("5 working days", "5 working days", True),
        ("4 working days", "5 working days", False),
        ("2 days", "48h", True),
        ("47h", "2d", False),
        ("9 working days", "3d", True),
        ("3d", "1 working day", False),
        ("8 working hours", "1 working day", False),
        ("1 month", "4w", True),
        ("1 month", "30d", False),
        ("0 working hours", "1m", False),
    ],
)
def test_spans_are_compared_only_as_far_as_that_holds_on_every_calendar(one: str, other: str, is_so: bool) -> None:
    assert not_shorter(read_span(one), read_span(other)) is is_so


@pytest.mark.parametrize(
    "send", ["after: 10 working days, within: 5 working days", "after: 2 working days, within: 1d"]
)
def test_a_promise_that_ends_before_it_begins_is_refused(send: str) -> None:
    (finding,) = refused(with_steps(send))
    assert finding.startswith("draft.yaml:17:11: `after` (")
    assert finding.endswith("Make `within` the longer one")


@pytest.mark.parametrize("kind", ["call", "visit"])
@pytest.mark.parametrize(
    ("within", "before"), [("5 working days", "6 working days"), ("3d", "9 working days"), ("2d", "49h")]
)
def test_a_call_or_visit_before_the_promise_begins_is_refused(kind: str, within: str, before: str) -> None:
    (finding,) = refused(with_steps(f"within: {within}", f"{{{kind}: {before} before deadline}}"))
    assert finding.startswith(f"draft.yaml:18:12: the {kind} (")
    assert "would come before the promise begins" in finding
    assert finding.endswith("before the deadline, or make `within` longer")


@pytest.mark.parametrize(
    ("within", "before"), [("2d", "2d"), ("5 working days", "5 working days"), ("2d", "8 working hours")]
)
def test_a_call_when_the_promise_begins_or_later_is_allowed(within: str, before: str) -> None:
    survey = read(with_steps(f"within: {within}", f"{{call: {before} before deadline}}")).surveys["ticket"]
    assert len(survey.steps) == 2


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (
            changed("{first: [sms, email]}", "{first: [phone]}"),
            "draft.yaml:18:22: 'phone' is not allowed here. Write 'email', 'sms', 'call' or 'visit'",
        ),
        (
            with_more("plans: {sample: {strata: [ward]}}\n"),
            "draft.yaml:19:27: 'ward' is not allowed here. Write 'kind', 'tier', 'size', 'trade', 'region', 'segment',"
            " 'grade', 'project' or 'served_by'",
        ),
        (
            with_more("    scores: {method: nps, item: overal}\n"),
            "draft.yaml:19:33: the item of questionnaire 'short' 'overal' does not exist. Name one of: overall",
        ),
        (
            with_more("scores: {target: 90%}\n"),
            "draft.yaml:19:18: expected a number, found '90%'. Write 90, without the sign",
        ),
        (
            changed("title: {zh: 问卷, en: Questionnaire}", "title: Your ticket"),
            "draft.yaml:8:12: expected a mapping, found 'Your ticket'. Write it in both languages: {zh: …, en: …}",
        ),
        (
            changed("on: ticket closed", "every: half-year\n    ask: {customers: {}}"),
            "draft.yaml:15:12: 'half-year' does not say when in which period. There is no half-year:"
            " write `quarter` or `year`",
        ),
        (
            changed("[sms, email]", "sms"),
            "draft.yaml:18:21: expected a list, found 'sms'. Write it as a list: [sms]",
        ),
    ],
)
def test_what_is_wrong_is_told_once_with_what_to_write(text: str, finding: str) -> None:
    assert refused(text) == [finding]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (changed("ticket closed", "goods deliverd"), "goods delivered"),
        (changed("likert5", "likert7"), "likert5"),
        (with_more("scores: {method: NPS}\n"), "nps"),
        (changed("Asia/Shanghai,", "Asia/Shanghai, workdays: [Monday],"), "mon"),
    ],
)
def test_what_was_nearly_right_is_answered_with_what_was_meant(text: str, meant: str) -> None:
    assert any(f"is not allowed here. Did you mean '{meant}'? Write '" in line for line in refused(text)), refused(text)


def test_what_is_nothing_like_a_choice_is_answered_with_the_choices_alone() -> None:
    assert all("Did you mean" not in line for line in refused(changed("ticket closed", "zzz")))


def test_an_empty_list_is_still_told() -> None:
    assert any("Write at least one" in line for line in refused(changed("[sms, email]", "[]")))
