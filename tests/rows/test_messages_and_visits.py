"""Rows on what customers read and on who calls or visits: the packs as they stand, through the notifier."""

import re
from itertools import product
from typing import get_args

import pytest
from msgspec.structs import replace

from notifier.matter import matter_of
from notifier.message import PreparedText, Recipient, Skeleton
from notifier.wording import Kind, compose_letter, compose_texts, greeting
from services.auth import Role
from services.contracts.language.steps import CallStep, FirstStep, Step, VisitStep
from services.contracts.policy import Policy
from services.contracts.questionnaire import LOCALES, Locale
from services.contracts.tickets import Channel
from services.house import House
from tests.notifier.servers import Reply, gateway, mail_server
from tests.notifier.stage import approved, open_stage
from tests.rows.packs import PACKS, pack

LINK = "https://hf.example.cn/s/" + "a" * 27
SURVEYS = [(policy.policy, name) for policy in map(pack, PACKS) for name in policy.surveys]
WRITTEN = [*product(SURVEYS, get_args(Kind), LOCALES)]


def about(policy: Policy, name: str) -> str | None:
    """What a survey of the policy names, as the scheduler tells it."""
    on = policy.surveys[name].on
    return None if on is None else "INC0012345" if on == "ticket closed" else f"{on}/P-7"


def in_person(step: Step) -> tuple[Channel, ...]:
    """By which of both somebody goes to the customer."""
    match step:
        case FirstStep():
            return tuple(channel for channel in step.first if channel in ("call", "visit"))
        case CallStep():
            return ("call",)
        case VisitStep():
            return ("visit",)
        case _:
            return ()


def recipient(locale: Locale) -> Recipient:
    name = {"zh": "李雷", "en": "Bob"}[locale]
    return Recipient("x", greeting(name, locale), name, "INC0012345", LINK, LINK.replace("/s/", "/u/"), "3月9日10:00")


@pytest.mark.parametrize(("survey", "kind", "locale"), WRITTEN, ids=str)
def test_every_message_of_every_pack_reads_as_what_it_is_about(
    survey: tuple[str, str], kind: Kind, locale: Locale
) -> None:
    policy, name = pack(survey[0]), survey[1]
    matter, to = matter_of(policy, name, about(policy, name)), recipient(locale)
    letter = compose_letter(policy, policy.surveys[name].questionnaire, kind, locale, matter=matter)
    mail = [Skeleton(text).fill(to.values()) for text in (letter.subject, *letter.paragraphs)]
    text = PreparedText(compose_texts(policy, kind, locale, matter=matter)).fill(to, reference="r")
    own_words = " ".join((*mail[:-1], text.text))  # the last paragraph is the questionnaire's own purpose
    assert text.parts == 1
    assert LINK in text.text
    assert not re.search(r"None|[{}\ue000]|P-7", own_words)
    assert ("INC0012345" in mail[0]) == (policy.surveys[name].on == "ticket closed")
    if policy.surveys[name].on != "ticket closed":
        assert not re.search(r"incident|ticket|request|事件|工单|请求", own_words, re.IGNORECASE)
    assert not mail[-1].startswith("您好")
    assert bool(re.search("[\u4e00-\u9fff]", own_words)) == (locale == "zh")


@pytest.mark.parametrize("name", PACKS)
async def test_s0_3_s1_6_s2_13_s4_2_calls_and_visits_stand_on_their_issuer_s_list(house: House, name: str) -> None:
    policy, owed = pack(name), []
    async with mail_server() as server, gateway(lambda _: Reply(202)) as sms, open_stage(house, server, sms) as stage:
        await stage.hear(approved(policy))
        for survey, rule in policy.surveys.items():
            for number, step in enumerate(rule.steps):
                for channel in in_person(step):
                    owed.append((channel, rule.by, survey))
                    due = await stage.due(channel, name=survey, step=number, policy=name)
                    of = {
                        "questionnaire": rule.questionnaire,
                        "owner": f"of {rule.by}",
                        "ticket": about(policy, survey),
                    }
                    await stage.hear(replace(due, **of))
        async with stage.client(await stage.key(Role.quality)) as client:
            items = (await client.get("/v1/calls", params={"limit": 200})).json()["items"]
            assert sorted((item["kind"], item["issuer"], item["name"]) for item in items) == sorted(owed)
            for issuer in {issuer for _, issuer, _ in owed}:
                mine = (await client.get("/v1/calls", params={"issuer": issuer})).json()["items"]
                assert {item["owner"] for item in mine} == {f"of {issuer}"}
                assert len(mine) == sum(issuer == each for _, each, _ in owed)
