"""A small policy for the notifier's tests."""

from services.contracts.policy import Policy, parse_policy

TEXT = """
policy: desk
title: {zh: 满意度制度, en: Satisfaction}
approval: {author: A, reviewer: B, approver: C, effective: 2026-01-01}
calendar: {timezone: Asia/Shanghai, holidays: CN, quiet: "21:00-08:30"}
questionnaires:
  incident:
    title: {zh: 事件回访, en: Incident survey}
    purpose: {zh: 目的与保密承诺。, en: Purpose and a promise of confidentiality.}
    items:
      - {id: overall, scale: SCALE, overall: true, text: {zh: 您是否满意？, en: How satisfied are you?}}
  visit:
    title: {zh: 走访, en: Visit}
    purpose: {zh: 走访的目的。, en: Purpose of the visit.}
    items:
      - {id: comment, kind: text, text: {zh: 意见, en: Comment}}
surveys:
  incident:
    on: ticket closed
    questionnaire: incident
    send: {within: 2d}
    steps: [{first: [email, sms]}, {reminder: after 24h}]
  repair:
    on: repair done
    questionnaire: incident
    send: {within: 2d}
    steps: [{first: [email, sms]}]
  renewal:
    on: occasion
    where: {type: [contract renewed]}
    questionnaire: incident
    send: {within: 2d}
    steps: [{first: [email, sms]}]
  quarterly:
    every: quarter, from 10 days before its end
    ask: {customers: {tier: [core]}, contacts: {role: [leader]}}
    by: project manager
    questionnaire: incident
    send: {within: 9d}
    steps: [{first: [email]}, {visit: 2 working days before deadline}]
  interviews:
    every: year
    ask: {customers: {tier: [core]}, contacts: {role: [leader]}}
    by: sales
    questionnaire: visit
    send: {within: 60d}
    steps: [{first: [visit, call]}]
brand:
  name: {zh: 云服务中心, en: Cloud & Desk}
  color: "#0b5cad"
"""

OWN_WORDS = """
messages:
  first:
    email:
      subject: {zh: "{brand}请{name}评价", en: "{brand} asks {name}"}
      text:
        zh: "{name}：\\n\\n请点 {link}\\n谢绝点 {opt_out}"
        en: "{name}:\\n\\nPlease click {link}\\nor decline: {opt_out}"
    sms:
      text: {zh: "{brand}请点{link} 谢绝{opt_out}", en: "{brand}: {link} or {opt_out}"}
"""


def policy(*, scale: str = "likert5", own_words: bool = False, of_ticket: bool = False, quiet: bool = True) -> Policy:
    """The policy, on a scale, with the house's words or its own (`of_ticket`: they name it), with or without quiet."""
    own = OWN_WORDS.replace("Please", "{ticket}:").replace("{brand}请点", "{ticket}") if of_ticket else OWN_WORDS
    text = TEXT.replace("SCALE", scale) + (own if own_words or of_ticket else "")
    return parse_policy(text if quiet else text.replace("21:00-08:30", "21:00-21:00"), "desk.yaml")
