"""A plan is filled up until it covers enough active customers, and stays a sample that can be weighted."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.allocation import Drawn, choose, cover, prove_coverage
from scheduler.audience import Stratum, Unit
from services.contracts.policy import Coverage, Sample

EXAMPLES = int(os.environ.get("HUIFANG_EXAMPLES", "300"))
STRATA: tuple[Stratum, ...] = (("core",), ("important",), ("ordinary",))
HALF = Coverage.model_validate({"share": "50%", "active_within": "6 months"})

registers = st.lists(
    st.tuples(st.sampled_from(STRATA), st.booleans(), st.integers(0, 3)), max_size=60
)  # of each customer: his stratum, whether he is active, and how many projects he has, 0: he is asked as a whole


def units(register: list[tuple[Stratum, bool, int]]) -> list[Unit]:
    return [
        Unit(f"{number}/{project}", str(number), str(project) or None, "-", stratum, ())
        for number, (stratum, _, projects) in enumerate(register)
        for project in range(projects + 1)
    ]


def active_of(register: list[tuple[Stratum, bool, int]]) -> frozenset[str]:
    return frozenset(str(number) for number, (_, active, _) in enumerate(register) if active)


def covered(drawn: tuple[Drawn, ...], without: frozenset[str] = frozenset()) -> set[str]:
    return {each.unit.customer for each in drawn if each.chosen and each.unit.key not in without}


@settings(max_examples=EXAMPLES, deadline=None)
@given(register=registers, size=st.sampled_from(["1", "10%", "40%", "all"]), share=st.integers(1, 100), data=st.data())
def test_the_next_draws_of_active_customers_fill_a_plan_up_and_no_more(
    register: list[tuple[Stratum, bool, int]], size: str, share: int, data: st.DataObject
) -> None:
    sample = Sample.model_validate({"size": size, "strata": ["tier"]})
    coverage = Coverage.model_validate({"share": f"{share}%", "active_within": "6 months"})
    active, before = active_of(register), choose(sample, units(register), "seed")
    keys = sorted(each.unit.key for each in before)
    lost = frozenset(data.draw(st.sets(st.sampled_from(keys), max_size=10))) if keys else frozenset()
    after = cover(sample, coverage, before, active, lost)
    assert [each.unit for each in after] == [each.unit for each in before]
    added = [each for each, earlier in zip(after, before, strict=True) if each.chosen and not earlier.chosen]
    proof = prove_coverage(coverage, active, covered(after, lost))
    first = prove_coverage(coverage, active, covered(before, lost))
    left = {each.unit.customer for each in before if not each.chosen and each.unit.key not in lost} & active
    assert len(added) == min(max(first.required - first.counted, 0), len(left - covered(before, lost)))
    assert proof.counted == first.counted + len(added)
    assert proof.met or left <= covered(after, lost)
    assert all(each.cause == "coverage" and each.unit.customer in active for each in added)
    assert all(each.chosen for each, earlier in zip(after, before, strict=True) if earlier.chosen)
    last = max(((each.draw, each.unit.key) for each in added), default=(0.0, ""))
    passed_over = [each for each in after if not each.chosen and (each.draw, each.unit.key) < last]
    assert not any(
        each.unit.customer in active - covered(after, lost) and each.unit.key not in lost for each in passed_over
    )


@settings(max_examples=EXAMPLES, deadline=None)
@given(register=registers, size=st.sampled_from(["1", "10%", "40%"]))
def test_a_plan_that_was_filled_up_stands_for_as_many_units_as_before(
    register: list[tuple[Stratum, bool, int]], size: str
) -> None:
    sample = Sample.model_validate({"size": size, "strata": ["tier"], "minimum_each": 1})
    active, before = active_of(register), choose(sample, units(register), "seed")
    after = cover(sample, HALF, before, active)
    for stratum in STRATA:
        members = [each for each in after if each.stratum == stratum]
        assert sum(each.weight or 0 for each in members) == pytest.approx(len(members))
        filled = any(each.cause == "coverage" for each in members)
        active_ones = [each for each in members if each.unit.customer in active]
        others = [each for each in members if each.unit.customer not in active]
        if filled and any(each.chosen for each in others):
            for kind in (active_ones, others):
                weight = len(kind) / sum(each.chosen for each in kind)
                assert all(each.weight == pytest.approx(weight) for each in kind if each.chosen)


def test_what_suffices_stays_as_it_was_drawn() -> None:
    sample = Sample.model_validate({"size": "60%"})
    register: list[tuple[Stratum, bool, int]] = [((), True, 0)] * 20
    drawn = choose(sample, units(register), "seed")
    assert cover(sample, HALF, drawn, active_of(register)) == drawn


def test_where_organisations_are_drawn_first_their_weight_stays_in() -> None:
    sample = Sample.model_validate({"size": "1", "organisations": {"share": "50%"}})
    everybody = [
        Unit(f"{org}/{number}", f"{org}/{number}", None, org, (), ()) for org in ("a", "b") for number in range(10)
    ]
    drawn = choose(sample, everybody, "seed")
    active = frozenset(each.customer for each in everybody if each.organisation == drawn_organisation(drawn))
    after = cover(sample, HALF, drawn, active)
    assert sum(each.chosen for each in after) == 5
    assert {each.weight for each in after if each.chosen} == {2 * 10 / 5}


def drawn_organisation(drawn: tuple[Drawn, ...]) -> str:
    (organisation,) = {each.unit.organisation for each in drawn if each.chosen}
    return organisation
