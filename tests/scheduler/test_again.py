from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from scheduler.again import Answer, applies, asked_again, dissatisfied_items
from scheduler.dossier import Dossier
from scheduler.policy import AGAIN, TICKET, Closing, schedule
from scheduler.survey import planned
from services.contracts.policy import When
from services.contracts.questionnaire import Questionnaire
from services.contracts.tickets import TicketFacts
from tests.scheduler.desk import person
from tests.scheduler.rules import OVERALL, WORDS, rule

MARCH = datetime(2026, 3, 30, 8, tzinfo=UTC)
FIRST_OF_APRIL = datetime(2026, 4, 1, 1, tzinfo=UTC)  # a Wednesday, 9:00 in Shanghai
FACTS = TicketFacts(category="network")
ANNA = person(1)


def item(id: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    return {"id": id, "kind": kind, "text": WORDS, **more}


ASKED = Questionnaire.model_validate(
    {
        "title": WORDS,
        "purpose": WORDS,
        "items": [
            OVERALL,
            item("reason", ask_when={"overall": [1, 2]}),
            item("speed", "scale", scale="quality5", na=True),
            item("skill", "scale", scale="ten"),
            item("solved", "yesno"),
            item("why", ask_when={"solved": [False]}),
            item("way", "choice", options=[{"id": "phone", "text": WORDS}, {"id": "mail", "text": WORDS}]),
            item("topics", "choices", options=[{"id": "price", "text": WORDS}, {"id": "manner", "text": WORDS}]),
            item("comment"),
        ],
    }
)


def answer(values: Mapping[str, float], **more: Any) -> Answer:
    return Answer(
        **{"answered_at": MARCH, "values": values, "score": None, "satisfied": None, "commented": False, **more}
    )


@pytest.mark.parametrize(
    ("when", "values", "more", "expected"),
    [
        ({"answers": {"overall": [1, 2]}}, {"overall": 2}, {}, True),
        ({"answers": {"overall": [1, 2]}}, {"overall": 3}, {}, False),
        ({"answers": {"overall": [1, 2]}}, {}, {}, False),
        ({"answers": {"overall": [1], "solved": [False]}}, {"overall": 1, "solved": 0}, {}, True),
        ({"answers": {"overall": [1], "solved": [False]}}, {"overall": 1, "solved": 1}, {}, False),
        ({"answers": {"solved": [True]}}, {"solved": 1}, {}, True),
        ({"answers": {"solved": [1]}}, {"solved": 1}, {}, False),
        ({"answers": {"overall": [True]}}, {"overall": 1}, {}, False),
        ({"answers": {"way": ["phone"]}}, {"way.phone": 1}, {}, True),
        ({"answers": {"way": ["phone"]}}, {"way.mail": 1}, {}, False),
        ({"answers": {"topics": ["price"]}}, {"topics.price": 1, "topics.manner": 1}, {}, True),
        ({"answers": {"speed": ["X"]}}, {"speed.X": 1}, {}, True),
        ({"answers": {"speed": ["X"]}}, {"speed": 0}, {}, False),
        ({"answers": {"unknown": [1]}}, {"unknown": 1}, {}, False),
        ({"any_item": "dissatisfied"}, {"overall": 4, "speed": 6, "skill": 8}, {}, False),
        ({"any_item": "dissatisfied"}, {"overall": 5, "speed": 3}, {}, True),
        ({"any_item": "dissatisfied"}, {"overall": 5, "skill": 7}, {}, True),
        ({"any_item": "dissatisfied"}, {"solved": 0, "way.phone": 1}, {}, False),
        ({"any_item_below": 6}, {"overall": 5}, {}, True),
        ({"any_item_below": 6}, {"speed": 6, "skill": 10, "solved": 0}, {}, False),
        ({"response": "dissatisfied"}, {}, {"satisfied": False}, True),
        ({"response": "dissatisfied"}, {}, {"satisfied": True}, False),
        ({"response": "dissatisfied"}, {}, {}, False),
        ({"score_below": 60}, {}, {"score": 59.9}, True),
        ({"score_below": 60}, {}, {"score": 60.0}, False),
        ({"score_below": 60}, {}, {}, False),
        ({"comment": "present"}, {}, {"commented": True}, True),
        ({"comment": "present"}, {}, {}, False),
        ({"comment": "present", "score_below": 60}, {}, {"commented": True, "score": 90.0}, False),
        ({"comment": "present", "or": {"score_below": 60}}, {}, {"score": 10.0}, True),
        ({"comment": "present", "or": {"score_below": 60}}, {}, {"score": 90.0}, False),
        ({"comment": "present", "or": {"score_below": 6, "or": {"any_item": "dissatisfied"}}}, {"skill": 1}, {}, True),
    ],
)
def test_a_condition_holds_by_everything_that_it_names_or_by_its_other_possibility(
    when: dict[str, Any], values: dict[str, float], more: dict[str, Any], expected: bool
) -> None:
    assert applies(When.model_validate(when), answer(values, **more), ASKED) is expected


def test_the_items_below_their_border_are_named_with_the_open_ones_that_were_asked() -> None:
    given = answer({"overall": 2, "speed": 6, "skill": 7, "solved": 1})
    assert dissatisfied_items(given, ASKED) == ("overall", "reason", "skill", "comment")
    assert dissatisfied_items(answer({"overall": 5, "solved": 0}), ASKED) == ("why", "comment")


def dossier(closing: Closing | None = None, times: int = 1, items: str = "dissatisfied", **again: Any) -> Dossier:
    asked = rule(again={"when": {"response": "dissatisfied"}, "next": "month", "items": items, "times": times, **again})
    closing = closing or Closing("jira", "IT-1", 1, MARCH, FACTS, ANNA)
    plan = schedule(asked, closing, closing.closed_at)
    survey = planned(asked, plan, UUID(int=7), ANNA.channels, None, closing.closed_at)
    return Dossier(survey=survey, closing=closing, contact=ANNA, rule=asked)


DISSATISFIED = answer({"overall": 2}, satisfied=False)


def test_who_was_dissatisfied_is_asked_those_items_again_on_the_next_months_first_working_day() -> None:
    asking = asked_again(dossier(), DISSATISFIED, ASKED)
    assert asking is not None
    assert asking.closing == Closing(AGAIN, str(UUID(int=7)), 1, FIRST_OF_APRIL, FACTS, ANNA, AGAIN)
    assert asking.items == ("overall", "reason", "comment")


def test_who_was_satisfied_or_whose_policy_says_nothing_is_not_asked_again() -> None:
    assert asked_again(dossier(), answer({"overall": 5}, satisfied=True), ASKED) is None
    plain = dossier()
    silent = Dossier(survey=plain.survey, closing=plain.closing, contact=ANNA, rule=rule())
    assert asked_again(silent, DISSATISFIED, ASKED) is None


def test_everything_is_asked_where_the_policy_says_so() -> None:
    asking = asked_again(dossier(items="all"), DISSATISFIED, ASKED)
    assert asking is not None
    assert asking.items == ()


def test_a_chain_goes_on_under_its_first_survey_until_its_times_are_over() -> None:
    first = str(UUID(int=5))
    second = Closing(AGAIN, first, 1, FIRST_OF_APRIL, FACTS, ANNA, AGAIN)
    assert asked_again(dossier(second), DISSATISFIED, ASKED) is None
    later = DISSATISFIED._replace(answered_at=FIRST_OF_APRIL + timedelta(days=2))
    asking = asked_again(dossier(second, times=2), later, ASKED)
    assert asking is not None
    assert asking.closing[:3] == (AGAIN, first, 2)
    assert asking.closing.closed_at == datetime(2026, 5, 6, 1, tzinfo=UTC)  # after the holiday of Labour Day


def test_a_ticket_is_no_chain_whatever_its_source_is_called() -> None:
    ticket = Closing(AGAIN, "IT-1", 3, MARCH, FACTS, ANNA, TICKET)
    asking = asked_again(dossier(ticket), DISSATISFIED, ASKED)
    assert asking is not None
    assert asking.closing[:3] == (AGAIN, str(UUID(int=7)), 1)
