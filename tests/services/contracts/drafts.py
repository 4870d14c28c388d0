"""A small policy to change one thing of, and the errors that follow."""

import pytest

from services.contracts.policy import Policy, PolicyError, parse_policy

DRAFT = """\
policy: draft
title: {zh: 草案, en: Draft}
approval: {author: A, reviewer: B, approver: C, effective: 2026-01-01}
calendar: {timezone: Asia/Shanghai, quiet: "21:00-08:30"}
limits: {per_person: 1 in 14 days}
questionnaires:
  short:
    title: {zh: 问卷, en: Questionnaire}
    purpose: {zh: 保密，可以不填写, en: Confidential and voluntary}
    items:
      - {id: overall, overall: true, scale: likert5, text: {zh: 是否满意？, en: Satisfied?}}
      - {id: why, kind: text, ask_when: {overall: [1, 2]}, text: {zh: 原因, en: Why}}
surveys:
  ticket:
    on: ticket closed
    questionnaire: short
    send: {after: 2h, within: 2d}
    steps: [{first: [sms, email]}]
"""


def changed(old: str, new: str) -> str:
    assert old in DRAFT
    return DRAFT.replace(old, new)


def with_more(text: str) -> str:
    return DRAFT + text


def read(text: str) -> Policy:
    return parse_policy(text, "draft.yaml")


def refused(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, "draft.yaml")
    return caught.value.lines


CALENDAR_SURVEY = """\
  quarter:
    every: quarter, from 10 days before its end
    ask: {customers: {tier: [core]}}
    questionnaire: short
    send: {within: 2d}
    steps: [{first: [email]}]
"""
