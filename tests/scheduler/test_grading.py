from hypothesis import given
from hypothesis import strategies as st

from scheduler.grading import grade
from services.contracts.customers import CustomerFacts
from services.contracts.language.grading import Grading

NAMES = "ABCD"


def title(text: str) -> dict[str, str]:
    return {"zh": text, "en": text}


def grading(*quotas: str | None, floors: tuple[float, ...] = (0, 0, 0)) -> Grading:
    grades = [
        {"grade": name, "title": title(name), "quota": quota, "from": floor}
        for name, quota, floor in zip(NAMES, quotas, floors, strict=False)
    ]
    grades.append({"grade": NAMES[len(quotas)], "title": title("last")})
    revenue = [{"from": 0, "points": 0}, {"from": 100, "points": 10}, {"from": 1000, "points": 20}]
    late = [{"from": 0, "points": 10}, {"from": 2, "points": 0}]
    return Grading.model_validate({
        "criteria": {
            "revenue": {"title": title("revenue"), "figure": "revenue", "steps": revenue},
            "late": {"title": title("late"), "figure": "late", "steps": late},
            "size": {"title": title("size"), "field": "size", "values": {"large": 5, "small": 1}},
        },
        "grades": grades,
    })  # fmt: skip


def customer(revenue: float | None = None, late: float | None = None, size: str | None = None) -> CustomerFacts:
    figures = {name: value for name, value in (("revenue", revenue), ("late", late)) if value is not None}
    return CustomerFacts(figures=figures, size=size)


def test_row_s4_10_customers_are_graded_by_points_and_quota() -> None:
    customers = {
        "a": customer(5000, 0, "large"),
        "b": customer(500, 0, "Small"),
        "c": customer(500, 3, "small"),
        "d": customer(5, 3),
        "e": customer(),
    }
    graded = grade(grading("20%", "30%", "40%"), customers)
    assert [(each.customer, each.points, each.grade) for each in graded] == [
        ("a", 35, "A"),
        ("b", 21, "B"),
        ("c", 11, "C"),
        ("d", 0, "C"),
        ("e", 0, "D"),
    ]
    assert graded[4].missing == ("revenue", "late", "size")


def test_a_quota_is_no_right_to_a_grade_without_the_points() -> None:
    customers = {str(number): customer(500, 0) for number in range(10)}
    graded = grade(grading("50%", None, floors=(30, 20)), customers)
    assert {each.grade for each in graded} == {"B"}


def test_ties_are_decided_by_the_first_criterion_then_by_the_id_and_marked_where_they_matter() -> None:
    customers = {"x": customer(500, 0), "y": customer(5000, 3), "w": customer(500, 0), "v": customer(5, 9)}
    graded = grade(grading("50%"), customers)
    assert [each.customer for each in graded] == ["y", "w", "x", "v"]
    assert [(each.grade, each.tied) for each in graded] == [("A", False), ("A", True), ("B", True), ("B", False)]


facts = st.builds(
    customer,
    st.none() | st.integers(0, 2000),
    st.none() | st.integers(0, 4),
    st.none() | st.sampled_from(["large", "small", "tiny"]),
)
quotas = st.sampled_from([None, "10%", "20%", "50%"])


@given(
    customers=st.dictionaries(st.text("abc", min_size=1, max_size=4), facts, max_size=20),
    chosen=st.lists(quotas, min_size=1, max_size=3),
)
def test_grades_never_rise_down_the_ranks_and_keep_to_their_quotas(
    customers: dict[str, CustomerFacts], chosen: list[str | None]
) -> None:
    graded = grade(grading(*chosen), customers)
    assert {each.customer for each in graded} == set(customers)
    assert [each.grade for each in graded] == sorted(each.grade for each in graded)
    assert [each.points for each in graded] == sorted((each.points for each in graded), reverse=True)
    for name, quota in zip(NAMES, chosen, strict=False):
        if quota is not None:
            share = int(quota.removesuffix("%")) / 100
            assert sum(each.grade == name for each in graded) <= share * len(customers) + 1e-9
    assert grade(grading(*chosen), dict(reversed(customers.items()))) == graded
