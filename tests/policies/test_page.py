"""docs/policy.md is enough to write a policy: its pieces, put together, are one, and so are policies made of them."""

import re
from pathlib import Path
from typing import Any

import yaml

from services.contracts.policy import Policy, parse_policy, read_policy

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/policy.md").read_text(encoding="utf-8")


def pieces(text: str) -> list[dict[str, Any]]:
    """The examples of the page that are whole mappings from the left margin on."""
    found = re.findall(r"```yaml\n(\w.*?)```", text, re.DOTALL)
    return [yaml.load(piece, yaml.CBaseLoader) for piece in found]


def joined(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return {**below, **{key: joined(below.get(key), value) for key, value in above.items()}}


def _plain(value: dict[str, Any] | list[Any] | str) -> str:
    """Every scalar of the page stands as it is written there: numbers and booleans bare, all else in quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_plain(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_plain, value)) + "]"
    bare = re.fullmatch(r"true|false|[0-9.]+", value)
    return value if bare else '"' + value.replace('"', '\\"') + '"'


def whole() -> Policy:
    first, *rest = pieces(PAGE)
    for piece in rest:
        first = joined(first, piece)
    return parse_policy(_plain(first), "docs/policy.md")


def test_the_pieces_of_the_page_are_one_policy() -> None:
    policy = whole()
    assert read_policy(policy.document()) == policy
    assert {"incident", "acceptance", "complaint", "renewal", "monday", "quarter"} == set(policy.surveys)
    assert policy.surveys["incident"].again is not None


def test_every_chapter_of_the_language_is_shown() -> None:
    shown = {key for piece in pieces(PAGE) for key in piece} | {"brand", "messages", "validity", "corrections"}
    assert set(Policy.model_fields) - shown == set()


SHOP = """\
policy: web-shop
title: {zh: 网店, en: Web shop}
approval: {author: Shop, reviewer: Desk, approver: Owner, effective: 2026-02-01}
calendar: {timezone: Europe/Berlin, holidays: DE, quiet: "20:00-09:00"}
limits: {per_person: 1 in 30 days}
questionnaires:
  delivery:
    title: {zh: 收货, en: Delivery}
    purpose: {zh: 我们保密；您可以不回答。, en: "Your answers are confidential, and you need not answer."}
    items:
      - {id: overall, scale: stars, overall: true, required: true, text: {zh: 您打几颗星？, en: How many stars?}}
      - {id: why, kind: text, required: true, ask_when: {overall: [1, 2]}, text: {zh: 为什么？, en: Why?}}
      - {id: recommend, scale: nps, text: {zh: 您会推荐我们吗？, en: Would you recommend us?}}
surveys:
  delivery:
    on: goods delivered
    questionnaire: delivery
    share: 50%
    send: {after: 3d, within: 5d}
    steps: [{first: [email]}, {reminder: after 4d}]
    expires: 14d
    scores: {method: nps, item: recommend}
"""
BUREAU = """\
policy: bureau
title: {zh: 窗口, en: Counter}
approval: {author: Desk, reviewer: Quality, approver: Head, effective: 2026-02-01}
calendar: {timezone: Asia/Shanghai}
roles: {head: {zh: 处长, en: Head}}
questionnaires:
  counter:
    title: {zh: 窗口评价, en: Counter}
    purpose: {zh: 我们保密；您可以不回答。, en: "Your answers are confidential, and you need not answer."}
    items:
      - {id: speed, scale: quality5, na: true, text: {zh: 您对速度是否满意？, en: And the speed?}}
      - {id: result, scale: quality5, overall: true, text: {zh: 您对结果是否满意？, en: And the result?}}
surveys:
  month:
    every: month, from 5 working days before its end
    ask: {customers: {kind: [consumer], new_within: 1 month}, most: 1}
    questionnaire: counter
    sample: {size: 10 + 5%, strata: [region]}
    send: {within: 2 working days}
    steps: [{first: [sms]}]
    expires: 1w
plans: {ready: 1-3 working days before, approve: head}
follow_up:
  - when: {any_item_below: 6}
    case: {owner: head, done: 10 working days, verify_by: quality assurance}
"""


def test_two_policies_written_from_the_page_alone_run() -> None:
    assert parse_policy(SHOP, "shop.yaml").scores_of("delivery").method == "nps"
    assert str(parse_policy(BUREAU, "bureau.yaml").surveys["month"].every) == (
        "month, from 5 working days before its end"
    )
