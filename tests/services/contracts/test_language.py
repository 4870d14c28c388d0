from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from services.contracts.language.reporting import read_part
from services.contracts.language.samples import ALL, Size, read_size
from services.contracts.language.timing import Every, Ready, read_back, read_every, read_ready
from services.contracts.policy import read_policy
from tests.services.contracts.drafts import read, refused, with_more


@pytest.mark.parametrize(
    ("text", "every"),
    [
        ("week, on monday", Every("week", 0)),
        ("month", Every("month")),
        ("quarter, from 10 days before its end", Every("quarter", None, 10, "days", True)),
        ("year, from 1 working day after its start", Every("year", None, 1, "working days")),
    ],
)
def test_periods_are_read_and_written_back(text: str, every: Every) -> None:
    assert read_every(text) == every
    assert str(every) == text


@pytest.mark.parametrize(
    "text", ["", "quarterly", "quarter, on monday", "week, from 9 days after its start", "week,on monday", None, 7]
)
def test_periods_that_say_nothing_clear_are_refused(text: object) -> None:
    with pytest.raises(PydanticCustomError):
        read_every(text)


def test_plans_are_ready_between_two_days() -> None:
    assert read_ready("7-10 days before") == Ready(7, 10, "days")
    for text in ("10-7 days before", "7 days before", "7-7 days before"):
        with pytest.raises(PydanticCustomError):
            read_ready(text)


@pytest.mark.parametrize("text", ["this year", "6 months", "90d", "3 years"])
def test_looking_back_is_written_as_it_was_read(text: str) -> None:
    assert str(read_back(text)) == text
    assert read_back(str(read_back(text))) == read_back(text)


@pytest.mark.parametrize("text", ["2h", "8 working hours", "0 days", "last year"])
def test_looking_back_counts_days_months_or_years(text: str) -> None:
    with pytest.raises(PydanticCustomError):
        read_back(text)


@pytest.mark.parametrize(("population", "drawn"), [(230, 22), (5, 5), (0, 0)])
def test_row_s4_6_the_sample_is_ten_and_five_percent_but_never_more_than_there_are(population: int, drawn: int) -> None:
    assert read_size("10 + 5%").of(population) == drawn


@given(base=st.integers(0, 1000), percent=st.integers(0, 100), population=st.integers(0, 10_000))
def test_sizes_are_written_as_they_are_read_and_keep_to_the_population(
    base: int, percent: int, population: int
) -> None:
    size = Size(base, Fraction(percent, 100))
    assert 0 <= size.of(population) <= population
    if base or percent:
        assert read_size(str(size)).of(population) == size.of(population)


@pytest.mark.parametrize(
    ("text", "size"), [("all", ALL), (200, Size(200, Fraction(0))), ("12.5%", Size(0, Fraction(1, 8)))]
)
def test_sizes(text: object, size: Size) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["0", "0%", "0.0%", "101%", "-5", "some", "5% + 10", True, None, 0])
def test_sizes_that_mean_nothing_are_refused(text: object) -> None:
    with pytest.raises(PydanticCustomError):
        read_size(text)


def test_row_s4_14_rewards_go_to_a_part_of_the_customers() -> None:
    assert read_part("1/3 of customers") == Fraction(1, 3)
    assert read_part("20% of customers") == Fraction(1, 5)
    for text in ("4/3 of customers", "0% of customers", "1/3"):
        with pytest.raises(PydanticCustomError):
            read_part(text)


GRADING = """\
grading:
  criteria:
    revenue: {title: {zh: 收入, en: Revenue}, figure: revenue, steps: [{from: 0, points: 10}, {from: 9, points: 20}]}
  grades: GRADES
"""


@pytest.mark.parametrize(
    ("grades", "finding"),
    [
        ("[{grade: B, title: T}, {grade: A, title: T}]", "the grades are not in order"),
        (
            "[{grade: A, title: T, from: 1}, {grade: B, title: T, from: 2}, {grade: C, title: T}]",
            "asks for more points",
        ),
        ("[{grade: A, title: T}, {grade: B, title: T, quota: 50%}]", "the last grade would leave customers out"),
        ("[{grade: A, title: T, from: 50}, {grade: B, title: T}]", "nobody can reach the first grade"),
    ],
)
def test_grades_fall_and_leave_nobody_out(grades: str, finding: str) -> None:
    text = GRADING.replace("GRADES", grades.replace("title: T", "title: {zh: 级, en: Grade}"))
    assert any(finding in line for line in refused(with_more(text)))


@pytest.mark.parametrize(
    ("more", "finding"),
    [
        ("plans: {sample: {over: {core: 2}}}", "`over` needs strata"),
        ("plans: {sample: {strata: [tier], over: {core: 0.5}}}", "greater than or equal to 1"),
        ("validity: {staff_networks: [10.0.0.1/8]}", "is not a network"),
        ("follow_up: [{when: {}}]", "a condition that says nothing"),
        ("scores: {return_rate: {floor: 50%, per: 0, minus: 1}}", "greater than 0"),
        ("rewards: {respondent: {zh: 礼品, en: Gift}, limit: 4/3 of customers}", "is not a part of the customers"),
    ],
)
def test_what_cannot_be_meant_is_refused(more: str, finding: str) -> None:
    assert any(finding in line for line in refused(with_more(more + "\n"))), refused(with_more(more + "\n"))


OWN = """\
    scores: {own}
scores: {method: mean, item: overall, target: 90, period: quarter, bands: [{from: 0, name: {zh: 全部, en: All}}]}
"""


@pytest.mark.parametrize(
    ("own", "method", "item", "target", "period"),
    [
        ("{target: 80}", "mean", "overall", 80, "quarter"),
        ("{method: mean, period: year}", "mean", "overall", 90, "year"),
        ("{method: rate}", "rate", None, None, "quarter"),
    ],
)
def test_a_surveys_own_scores_take_what_they_leave_out_from_the_policys(
    own: str, method: str, item: str | None, target: float | None, period: str
) -> None:
    policy = read(with_more(OWN.replace("{own}", own)))
    for known in (policy, read_policy(policy.document())):
        scores = known.scores_of("ticket")
        assert (scores.method, scores.item, scores.target, scores.period) == (method, item, target, period)
        assert [band.name.en for band in scores.bands] == ["All"]


def test_what_a_survey_takes_from_the_policy_must_fit_its_questionnaire() -> None:
    nps = "    scores: {target: 50}\nscores: {method: nps}\n"
    assert any("the method 'nps'" in line for line in refused(with_more(nps))), refused(with_more(nps))
