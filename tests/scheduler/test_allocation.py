import os
from datetime import date
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.allocation import (
    ALWAYS,
    active_customers,
    allocate,
    choose,
    counts_as_followed_up,
    next_in_line,
    prove_coverage,
    prove_guarantee,
    top_up,
    weights,
)
from scheduler.audience import Customer, Stratum, Unit
from scheduler.sample import draw
from services.contracts.customers import CustomerFacts
from services.contracts.policy import Coverage, Guarantee, Sample

EXAMPLES = int(os.environ.get("HUIFANG_EXAMPLES", "300"))

strata = st.dictionaries(
    st.tuples(st.sampled_from(["core", "important", "ordinary"]), st.sampled_from(["north", "south"])),
    st.integers(0, 60),
    max_size=6,
)
sizes = st.sampled_from(["all", "10%", "30%", "7", "200", "10 + 5%"])


def sample(**fields: object) -> Sample:
    return Sample.model_validate(fields)


def units(counts: dict[Stratum, int], organisation: str = "-") -> list[Unit]:
    return [
        Unit(f"{organisation}/{'/'.join(stratum)}/{number}", f"{number}", None, organisation, stratum, ())
        for stratum, count in counts.items()
        for number in range(count)
    ]


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    counts=strata, size=sizes, minimum=st.integers(0, 80), each=st.integers(0, 5),
    over=st.dictionaries(st.sampled_from(["core", "north"]), st.sampled_from([1, 1.5, 2, 3]), max_size=2),
    own=st.dictionaries(st.just("important"), sizes, max_size=1),
)  # fmt: skip
def test_allocations_keep_every_minimum_and_never_exceed_what_there_is(
    counts: dict[Stratum, int], size: str, minimum: int, each: int, over: dict[str, float], own: dict[str, str]
) -> None:
    rule = sample(size=size, minimum=minimum, minimum_each=each, over=over, sizes=own, strata=["tier", "region"])
    drawn = allocate(rule, counts)
    population = sum(counts.values())
    assert drawn.keys() == counts.keys()
    assert all(min(counts[stratum], each) <= drawn[stratum] <= counts[stratum] for stratum in counts)
    assert sum(drawn.values()) >= min(minimum, population)
    if not over and not own and not each:
        assert sum(drawn.values()) == max(rule.size.of(population), min(minimum, population))


@given(counts=strata, size=sizes)
def test_allocations_do_not_depend_on_the_order_of_strata(counts: dict[Stratum, int], size: str) -> None:
    backwards = dict(reversed(list(counts.items())))
    assert allocate(sample(size=size), counts) == allocate(sample(size=size), backwards)


@given(counts=strata)
def test_proportions_are_kept_to_less_than_one(counts: dict[Stratum, int]) -> None:
    drawn = allocate(sample(size="30%"), counts)
    total, population = sum(drawn.values()), sum(counts.values())
    assert all(abs(drawn[stratum] - total * counts[stratum] / population) < 1 for stratum in counts if population)


def test_row_s3_4_important_customers_are_over_sampled_and_weighted_back() -> None:
    counts: dict[Stratum, int] = {("core",): 50, ("ordinary",): 200}
    drawn = allocate(sample(size="10%", strata=["tier"], over={"core": 4}), counts)
    assert drawn == {("core",): 20, ("ordinary",): 20}
    assert weights(counts, drawn) == {("core",): 2.5, ("ordinary",): 10.0}


def test_the_strata_of_measures_weigh_back_to_the_worked_mean() -> None:
    counts: dict[Stratum, int] = {("a",): 200, ("b",): 50}
    drawn = allocate(sample(strata=["tier"], sizes={"a": 10, "b": 20}), counts)
    assert drawn == {("a",): 10, ("b",): 20}
    weight = weights(counts, drawn)
    means: dict[Stratum, float] = {("a",): 4.2, ("b",): 3.0}
    naive = sum(means[each] * drawn[each] for each in drawn) / sum(drawn.values())
    weighted = sum(means[each] * drawn[each] * weight[each] for each in drawn) / 250
    assert naive == pytest.approx(3.400)
    assert weighted == pytest.approx(3.960)


def test_own_sizes_of_strata_hold_for_them_alone() -> None:
    counts: dict[Stratum, int] = {("core",): 9, ("ordinary",): 91}
    assert allocate(sample(size="30%", strata=["tier"], sizes={"Core": "all"}), counts) == {
        ("core",): 9,
        ("ordinary",): 27,
    }


@settings(max_examples=EXAMPLES, deadline=None)
@given(counts=strata, size=sizes, seed=st.text(max_size=5), shuffle=st.integers(0, 10))
def test_draws_can_be_redone_by_anybody_from_the_seed(
    counts: dict[Stratum, int], size: str, seed: str, shuffle: int
) -> None:
    everybody = units(counts)
    drawn = choose(sample(size=size), everybody, seed)
    Random(shuffle).shuffle(everybody)
    assert choose(sample(size=size), everybody, seed) == drawn
    for each in drawn:
        assert each.draw == draw(seed, each.unit.key)
    for stratum, count in allocate(sample(size=size), counts).items():
        inside = sorted((each.draw, each.unit.key, each.chosen) for each in drawn if each.stratum == stratum)
        assert [chosen for _, _, chosen in inside] == [place < count for place in range(len(inside))]


@settings(max_examples=EXAMPLES, deadline=None)
@given(counts=strata, size=sizes)
def test_the_weights_of_the_chosen_add_up_to_the_population(counts: dict[Stratum, int], size: str) -> None:
    rule = sample(size=size, strata=["tier", "region"], minimum_each=1)
    drawn = choose(rule, units(counts), "seed")
    assert sum(each.weight or 0 for each in drawn) == pytest.approx(sum(counts.values()))


def test_row_s4_5_who_is_asked_in_any_case_stands_beside_the_draw_and_for_himself_alone() -> None:
    everybody = units({("north",): 100})
    always = {everybody[0].key, everybody[1].key}
    drawn = choose(sample(size="10%"), everybody, "seed", always)
    certain = [each for each in drawn if each.stratum == ALWAYS]
    assert {each.unit.key for each in certain} == always
    assert all(each.chosen and each.weight == 1 for each in certain)
    assert sum(each.chosen for each in drawn) == 2 + 10  # a tenth of the other 98, rounded up


@pytest.mark.parametrize(("organisations", "asked"), [(3, 3), (30, 5), (80, 8)])
def test_row_s4_16_a_tenth_of_the_organisations_is_drawn_but_at_least_five(organisations: int, asked: int) -> None:
    everybody = [unit for number in range(organisations) for unit in units({(): 40}, f"org-{number:02}")]
    drawn = choose(sample(size="10 + 5%", organisations={"share": "10%", "minimum": 5}), everybody, "seed")
    chosen = [each for each in drawn if each.chosen]
    assert len({each.unit.organisation for each in chosen}) == asked
    assert len(chosen) == asked * 12  # ⌈10 + 0.05 · 40⌉ of each
    assert sum(each.weight or 0 for each in chosen) == pytest.approx(organisations * 40)


def test_who_cannot_be_reached_is_replaced_by_the_next_draw_of_his_stratum() -> None:
    rule = sample(size="20%", strata=["tier"])
    drawn = choose(rule, units({("core",): 10, ("ordinary",): 20}), "seed")
    lost = {next(each.unit.key for each in drawn if each.chosen and each.stratum == ("core",))}
    ((place, instead),) = next_in_line(rule, drawn, lost).items()
    assert {place} == lost
    waiting = [each for each in drawn if each.stratum == ("core",) and not each.chosen]
    assert instead == min(waiting, key=lambda each: each.draw).unit
    everybody = {each.unit.key for each in drawn}
    assert next_in_line(rule, drawn, everybody) == {}


def test_row_s2_8_coverage_is_proved_before_and_after() -> None:
    rule = Coverage.model_validate({"share": "30%", "active_within": "6 months"})
    days = [date(2026, 2, 1)] * 10 + [date(2024, 1, 1)] * 5
    customers = [Customer(str(number), CustomerFacts(last_active=day)) for number, day in enumerate(days)]
    active = active_customers(rule, customers, date(2026, 3, 2))
    assert len(active) == 10
    assert prove_coverage(rule, active, ["0", "1", "2"]).met
    lacking = prove_coverage(rule, active, ["0", "1", "12", "13", "14"])
    assert (lacking.required, lacking.counted, lacking.total, lacking.met) == (3, 2, 10, False)


def test_row_s2_9_all_complaints_must_be_followed_up() -> None:
    rule = Guarantee.model_validate({"share": "100%"})
    assert prove_guarantee(rule, 17, 17, 17).met
    assert not prove_guarantee(rule, 17, 17, 16).met
    assert prove_guarantee(rule, 0, 0, 0).met


def test_row_s4_1_a_follow_up_rate_is_kept_by_drawing_more() -> None:
    rule = Guarantee.model_validate({"share": "20%", "by": ["call"]})
    draws = {f"INC-{number}": draw("rule", number) for number in range(100)}
    asked = set(sorted(draws, key=lambda key: draws[key])[:15])
    proof = prove_guarantee(rule, len(draws), len(asked), 12)
    more = top_up(draws, asked, proof.required - proof.counted)
    assert (proof.required, len(more)) == (20, 8)
    assert max(draws[key] for key in asked) < min(draws[key] for key in more)
    assert counts_as_followed_up(rule, "call")
    assert not counts_as_followed_up(rule, None)
