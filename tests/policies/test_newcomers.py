"""What newcomers wrote from the documentation alone is a policy, reads well, and keeps its promises in a trial."""

import csv
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from scheduler.simulation.conduct import Conduct
from scheduler.simulation.outcome import Outcome
from scheduler.simulation.past import File, read_past
from scheduler.simulation.trial import Trial, outcome_of, play_of
from scheduler.wording import lint, read_lexicon
from services.contracts.policy import Policy, parse_policy

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent / "newcomers"
NAMES = ("hospital", "logistics", "property-group", "software-house")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
CUSTOMERS = 60
OCCASIONS = ("", "", "goods delivered", "complaint handled", "repair done")
PRIORITIES = ("P1", "P3", "2 - High", "4 - Low")
REGIONS = ("intensive care", "surgery", "north", "south")


def text(name: str) -> str:
    return (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


@cache
def policy(name: str) -> Policy:
    return parse_policy(text(name), f"{name}.yaml")


def _table(rows: Iterable[dict[str, object]]) -> str:
    written = list(rows)
    table = StringIO()
    writer = csv.DictWriter(table, list(written[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(written)
    return table.getvalue()


def _register() -> Iterator[dict[str, object]]:
    """Sixty customers of twelve companies, each with a project, a leader and a key user."""
    for number in range(CUSTOMERS):
        for role in ("leader", "key user"):
            yield {
                "customer": f"C-{number}",
                "kind": "consumer" if number % 6 == 5 else "organisation",
                "tier": "vip" if number % 10 == 0 else "ordinary",
                "region": REGIONS[number % len(REGIONS)],
                "active_since": f"{2005 + number % 11}-02-01",
                "last_active": "2016-02-01" if number % 3 else "2017-02-01",
                "served_by": f"company {number % 12}",
                "figure:revenue": number * 37 % 900,
                "figure:years": number % 11,
                "project": f"P-{number}",
                "project_manager": f"pm-{number % 3}",
                "person": _person(number, role),
                "email": f"{_person(number, role)}@example.com",
                "phone": f"+86138{number:08}",
                "roles": role,
                "consent": "all",
            }


def _person(number: int, role: str = "leader") -> str:
    return f"u-{number}-{role.replace(' ', '-')}"


def _tickets() -> Iterator[dict[str, object]]:
    """Three hundred tickets and occasions, by day and by night, from March until June."""
    for number in range(300):
        at = datetime(2016, 3, 1, tzinfo=UTC) + timedelta(minutes=number * 577)
        occasion = OCCASIONS[number % len(OCCASIONS)]
        yield {
            "ticket": f"T-{number}",
            "occasion": occasion,
            "closed_at": f"{at:%Y-%m-%d %H:%M}",
            "type": "" if occasion else ("incident", "request")[number % 2],
            "priority": "" if occasion else PRIORITIES[number % len(PRIORITIES)],
            "customer": f"C-{number % CUSTOMERS}",
            "person": _person(number % CUSTOMERS),
            "email": f"{_person(number % CUSTOMERS)}@example.com",
        }


@cache
def tried(name: str) -> Outcome:
    """A year of it, from March, in which nothing breaks."""
    zone = ZoneInfo(policy(name).calendar.timezone)
    tickets, customers = (
        File("tickets.csv", _table(_tickets()).encode()),
        File("customers.csv", _table(_register()).encode()),
    )
    past = read_past(tickets, customers, zone)
    start, end = (datetime(year, 3, 1, tzinfo=zone) for year in (2016, 2017))
    play = play_of(Trial(policy(name), past, start, end, Conduct()))
    for _ in play.world.play():
        pass
    return outcome_of(play)


def test_every_policy_of_a_newcomer_is_named_here() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_policy_in_both_languages_and_its_wording_is_clean(name: str) -> None:
    assert policy(name).policy == name
    lexicon = read_lexicon((ROOT / "scheduler/wording.yaml").read_text(encoding="utf-8"))
    assert lint(policy(name), lexicon) == ()
    for questionnaire in policy(name).questionnaires.values():
        for words in (questionnaire.title, questionnaire.purpose, *(item.text for item in questionnaire.items)):
            assert CHINESE.search(words.zh)
            assert words.en
            assert not CHINESE.search(words.en)


@pytest.mark.parametrize("name", NAMES)
def test_every_survey_asks_somebody_and_keeps_its_promise(name: str) -> None:
    outcome = tried(name)
    assert (outcome.tickets, outcome.occasions, outcome.customers) == (120, 180, CUSTOMERS)
    assert [each.name for each in outcome.surveys if not each.surveys] == []
    assert {each.name for each in outcome.surveys} == set(policy(name).surveys)
    assert outcome.first_contact.in_time == outcome.first_contact.owed > 100


@pytest.mark.parametrize("name", NAMES)
def test_people_are_left_in_peace(name: str) -> None:
    outcome, limit = tried(name), policy(name).limits.per_person
    assert limit is not None
    assert outcome.in_quiet_time == 0
    assert outcome.per_person.kept
    assert 1 <= outcome.per_person.most <= limit.most


@pytest.mark.parametrize("name", NAMES)
def test_plans_are_ready_and_guarantees_kept(name: str) -> None:
    outcome = tried(name)
    planned = {survey for survey, each in policy(name).surveys.items() if each.planned}
    assert {plan.survey for plan in outcome.plans} == planned
    assert [plan for plan in outcome.plans if not plan.ready or plan.drawn == 0] == []
    guaranteed = {survey for survey, each in policy(name).surveys.items() if each.guarantee}
    assert {each.survey for each in outcome.guarantees} == guaranteed
    assert [each for each in outcome.guarantees if not each.followed_up.met] == []


def test_the_grave_cases_of_a_hospital_are_called_whichever_words_tell_that_they_are_grave() -> None:
    urgent, usual = (
        next(each for each in tried("hospital").surveys if each.name == name) for name in ("urgent", "usual")
    )
    assert urgent.calls > 0
    assert urgent.messages == 0
    assert usual.messages > 0
    assert usual.calls == 0
