from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import msgspec

from scheduler.simulation.conduct import Conduct
from scheduler.simulation.outcome import Outcome
from scheduler.simulation.past import File, read_past
from scheduler.simulation.recount import table
from scheduler.simulation.summary import lines
from scheduler.simulation.trial import Play, Trial, outcome_of, play_of, span_of
from services.contracts.policy import Policy
from tests.scheduler.simulation.policies import CUSTOMERS, TICKETS, whole

SHANGHAI = ZoneInfo("Asia/Shanghai")
USUAL = Conduct()


def played(policy: Policy, conduct: Conduct = USUAL, tickets: str = TICKETS, customers: str | None = CUSTOMERS) -> Play:
    register = File("customers.csv", customers.encode()) if customers is not None else None
    past = read_past(File("tickets.csv", tickets.encode()), register, SHANGHAI)
    play = play_of(Trial(policy, past, *span_of(policy, past, None, None), conduct))
    for _ in play.world.play():
        pass
    return play


def tried(policy: Policy, conduct: Conduct = USUAL, **files: str) -> Outcome:
    return outcome_of(played(policy, conduct, **files))


def counts(outcome: Outcome) -> dict[tuple[str, str], int]:
    found: Counter[tuple[str, str]] = Counter()
    for each in outcome.decisions:
        found[each.on, each.reason] += each.count
    return dict(found)


def test_a_year_from_the_first_ticket_is_played_in_the_companys_days() -> None:
    outcome = tried(whole())
    assert (outcome.start.isoformat(), outcome.end.isoformat()) == (
        "2026-03-02T00:00:00+08:00",
        "2027-03-02T00:00:00+08:00",
    )
    assert (outcome.tickets, outcome.occasions, outcome.customers) == (4, 1, 20)
    assert [(plan.survey, plan.term) for plan in outcome.plans] == [
        ("quarter", f"2026-Q{number}") for number in (1, 2, 3, 4)
    ]
    assert outcome.reports[0].due == date(2026, 4, 15)
    assert [each.period for each in outcome.reports] == [f"2026-Q{number}" for number in (1, 2, 3, 4)]


def test_all_promises_are_kept_where_nothing_breaks() -> None:
    outcome = tried(whole())
    assert outcome.first_contact.owed == outcome.first_contact.in_time > 30
    assert (outcome.in_quiet_time, outcome.per_person.most, outcome.per_person.kept) == (0, 1, True)
    for plan in outcome.plans:
        assert plan.ready
        assert plan.drawn_at <= plan.approved_at <= plan.ready_by < plan.opens
        assert (plan.population, plan.drawn, plan.strata) == (20, 8, 2)
    assert outcome.plans[0].covers is not None
    assert (outcome.plans[0].covers.required, outcome.plans[0].covers.total) == (6, 20)
    assert outcome.grades == {"A": 5, "B": 15}


def test_a_closure_that_did_not_last_is_neither_owed_a_contact_nor_counted_as_a_case() -> None:
    closed = "ticket,closed_at,opened_at,person\nIT-1,2026-03-02 10:00,,anna\nIT-1,2026-03-05 10:00,{},anna\n"
    policy = whole(surveys={"ticket": {**_ticket(), "share": "100%", "guarantee": {"share": "100%"}}})
    soon, late = (
        tried(policy, tickets=closed.format(at), customers=CUSTOMERS) for at in ("2026-03-02 11:00", "2026-03-03 10:00")
    )
    assert (soon.surveys[0].cancelled, soon.first_contact.owed) == (1, 1)
    assert (late.surveys[0].cancelled, late.first_contact.owed) == (1, 1)
    assert late.first_contact.in_time == 1
    assert counts(late)["ticket closed", "person_limit"] == 1
    assert soon.guarantees[0].followed_up.total == 1


def _ticket() -> dict[str, object]:
    survey = whole().surveys["ticket"]
    told: dict[str, object] = survey.model_dump(mode="json", by_alias=True, exclude_none=True)
    return told


def test_the_dissatisfied_are_asked_again_on_the_next_months_first_working_day() -> None:
    play = played(whole(), Conduct(answers=1, talks=1, dissatisfied=1))
    again = [each for each in play.world.closures.values() if each.closing and each.closing.on == "again"]
    assert {each.closing.closed_at for each in again if each.closing} == {datetime(2026, 4, 1, 1, tzinfo=UTC)}
    assert outcome_of(play).again == len(again) > 0


def test_a_guarantee_in_danger_asks_about_further_cases_by_their_draws() -> None:
    many = "ticket,closed_at,person,phone\n" + "".join(
        f"IT-{number},2026-03-{2 + number % 5:02} {9 + number % 9:02}:{number % 60:02},p{number},+861390{number:06}\n"
        for number in range(200)
    )
    survey = {**_ticket(), "share": "10%", "guarantee": {"share": "40%", "every": "quarter"}}
    play = played(whole(surveys={"ticket": survey}), Conduct(answers=1, talks=1), many)
    outcome = outcome_of(play)
    assert outcome.guarantees[0].followed_up.met
    assert outcome.guarantees[0].followed_up.required == 80
    drawn, topped_up = counts(outcome)["ticket closed", "matched"], counts(outcome)["ticket closed", "guaranteed"]
    assert drawn < 40 < topped_up
    assert drawn + topped_up <= 90


def test_units_of_whom_nobody_is_reached_are_replaced() -> None:
    outcome = tried(whole(), Conduct(fails=1, talks=0, refuses=1))
    first = outcome.plans[0]
    assert first.lost > 0
    assert first.replaced > 0
    assert first.reached is not None
    assert first.reached.counted == 0
    assert any("reaches 0 of 20 active customers" in each.en for each in outcome.remarks)


def test_messages_that_fail_are_followed_by_other_channels_in_time() -> None:
    outcome = tried(whole(), Conduct(fails=1, talks=1))
    unreachable = sum(each.unreachable for each in outcome.surveys)  # anna, who has nothing but her mail
    assert outcome.first_contact.owed == outcome.first_contact.in_time + unreachable
    assert sum(each.calls for each in outcome.surveys) == outcome.first_contact.in_time > 30
    assert unreachable == 1
    assert outcome.remarks[0].en.startswith("1 of 36 first contacts come after their promise")


def test_customers_come_from_the_tickets_where_there_is_no_register() -> None:
    outcome = outcome_of(played(whole(), customers=None))
    assert outcome.customers == 2
    assert any("no register was given" in each.en for each in outcome.remarks)
    assert any("没有客户档案" in each.zh or "未提供客户档案" in each.zh for each in outcome.remarks)


def _bytes(play: Play) -> tuple[bytes, str]:
    return msgspec.json.encode(outcome_of(play)), "".join(table(play))


def test_the_same_trial_comes_out_the_same_to_the_byte_and_another_seed_otherwise() -> None:
    assert _bytes(played(whole())) == _bytes(played(whole()))
    assert _bytes(played(whole(), Conduct(seed="2"))) != _bytes(played(whole()))


def test_the_summary_tells_every_chapter() -> None:
    text = "\n".join(lines(tried(whole())))
    for chapter in ("decisions", "surveys", "promises", "work by days", "plans", "guarantees", "grades", "reports due"):
        assert f"\n{chapter}\n" in text
    assert "first contact within the promise" in text
    assert "100 %" in text


def test_the_table_has_every_decision_every_survey_and_every_unit() -> None:
    play = played(whole())
    rows = Counter(_records(table(play)))
    assert rows["decision"] == len(play.world.closures)
    assert rows["end"] == len(play.world.surveys)
    assert rows["deed"] == len(play.world.deeds)
    assert (rows["plan"], rows["unit"]) == (4, 80)


def _records(lines: Iterable[str]) -> list[str]:
    return [line.partition(",")[0] for line in lines]


def test_a_survey_that_does_not_open_in_the_days_played_is_told_so() -> None:
    policy = whole()
    past = read_past(File("tickets.csv", TICKETS.encode()), File("customers.csv", CUSTOMERS.encode()), SHANGHAI)
    days = datetime(2026, 3, 2, tzinfo=SHANGHAI), datetime(2026, 3, 4, tzinfo=SHANGHAI)
    play = play_of(Trial(policy, past, *days, USUAL))
    for _ in play.world.play():
        pass
    remarks = [each.en for each in outcome_of(play).remarks]
    assert "survey quarter asked nobody: it does not open in the days played" in remarks


def test_what_would_keep_a_guarantee_depends_on_what_is_missing() -> None:
    remedies = {}
    for steps in ([{"first": ["sms"]}], [{"first": ["sms"]}, {"call": "4 working hours before deadline"}]):
        survey = {**_ticket(), "share": "100%", "steps": steps, "guarantee": {"share": "100%", "every": "quarter"}}
        outcome = tried(whole(surveys={"ticket": survey}), Conduct(answers=0, talks=0, fails=1))
        (remark,) = (each.en for each in outcome.remarks if "follows up" in each.en)
        remedies[len(steps)] = remark.rpartition(": ")[2]
    assert remedies == {
        1: "add a call or a visit for who does not answer",
        2: "lengthen send.within or `expires`, or ask more channels",
    }
