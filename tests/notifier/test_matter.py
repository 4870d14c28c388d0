from typing import get_args

import pytest

from notifier.matter import _OCCASIONS, Matter, matter_of
from services.contracts.language.asking import On
from services.contracts.questionnaire import LOCALES, Locale
from tests.notifier.rules import policy


def about(survey: str, ticket: str | None = None) -> Matter:
    return matter_of(policy(), survey, ticket)


def test_a_closed_ticket_is_named_and_nothing_else_is() -> None:
    assert about("incident", "INC1").is_ticket
    assert about("forgotten", "INC1").is_ticket
    for survey, ticket in (("repair", "repair done/7"), ("renewal", "contract renewed/7"), ("quarterly", None)):
        matter = about(survey, ticket)
        assert not matter.is_ticket
        assert "{ticket}" not in str(matter)


def test_an_occasion_has_words_of_its_own_or_is_about_the_service() -> None:
    assert about("repair", "repair done/7").subject.en == "How did your repair go?"
    assert about("renewal", "contract renewed/7").subject.en == "How did we do?"
    assert set(_OCCASIONS) == set(get_args(On)) - {"ticket closed", "occasion"}


def test_a_survey_that_is_held_again_refers_to_the_first_answer() -> None:
    for survey in ("incident", "repair", "renewal"):
        news = about(survey).news
        assert news
        assert "how it is now" in news.en


def test_s0_3_the_quarterly_questionnaire_comes_from_the_project_manager() -> None:
    news, interview = about("quarterly").news, about("interviews").news
    assert news
    assert interview
    assert (news.zh[:6], interview.zh[:6]) == ("您的项目经理", "您的客户经理")
    assert about("forgotten").news is None


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", _OCCASIONS)
def test_no_occasion_is_called_an_incident_or_a_request(kind: On, locale: Locale) -> None:
    words = " ".join(each.say(locale) for each in _OCCASIONS[kind][:4] if each)
    assert not any(word in words.lower() for word in ("incident", "ticket", "request", "事件", "请求", "工单"))
