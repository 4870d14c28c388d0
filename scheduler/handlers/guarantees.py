"""What the scheduler does by the clock about guarantees: it asks about further cases before they are broken."""

from collections.abc import Sequence
from datetime import date, datetime, time

from scheduler import store
from scheduler.closure import Key
from scheduler.guarantee import decide_further, missing, open_from, tally
from scheduler.handlers.closures import find_people, find_register, record, rules_in_force
from scheduler.ledger import Entry, enter
from scheduler.plan import Term, previous_term, term_of
from scheduler.policy import Rule
from scheduler.store import guarantees
from services.database import Transaction
from services.house import House
from services.identifiers import uuid7

MOST = 200
CANDIDATES = 10
"""How many times as many cases are looked at as are missing: some are too late by now, or nobody can be asked."""


async def keep_guarantees(house: House, transaction: Transaction) -> int:
    """Asks about as many further cases as are missing, those with the lowest draws, in this and the last period."""
    rules = [each for each in await rules_in_force(transaction) if each.survey.guarantee and each.survey.on]
    entries = [
        entry
        for rule in rules
        for term in terms_now(rule, transaction.now)
        for entry in await _top_up(transaction, rule, term)
    ]
    await record(transaction, entries)
    return 0


def terms_now(rule: Rule, now: datetime) -> tuple[Term, ...]:
    """The last and the present period of a rule's guarantee; none without one."""
    if rule.survey.guarantee is None:
        return ()
    term = term_of(rule.survey.guarantee.every, now.astimezone(rule.almanac.zone).date())
    return previous_term(term), term


def span_of(rule: Rule, term: Term) -> tuple[datetime, datetime]:
    """When a period begins and ends in the rule's zone."""
    return _midnight(rule, term.start), _midnight(rule, term.end)


def _midnight(rule: Rule, day: date) -> datetime:
    return datetime.combine(day, time(), rule.almanac.zone)


async def _top_up(transaction: Transaction, rule: Rule, term: Term) -> list[Entry]:
    guarantee, span = rule.survey.guarantee, span_of(rule, term)
    if guarantee is None:
        return []
    cases = tally(rule, guarantee, await guarantees.count_cases(transaction, rule.title, rule.name, *span))
    wanted = min(missing(guarantee, cases), MOST)
    if not wanted:
        return []
    since = max(span[0], open_from(rule, transaction.now) or span[0])
    keys = await guarantees.find_unasked(transaction, rule.title, since, span[1], wanted * CANDIDATES)
    return (await _ask(transaction, rule, keys))[:wanted]


async def _ask(transaction: Transaction, rule: Rule, keys: Sequence[Key]) -> list[Entry]:
    """The entries of those cases, in their order, of which somebody can still be asked in time."""
    known = await store.find_closures(transaction, {key[:2] for key in keys})
    closures = [known[key] for key in keys]
    closings = [each.closing for each in closures if each.closing is not None]
    people = await find_people(transaction, [rule], closings, await find_register(transaction, closings))
    entries = []
    for closure in closures:
        if closure.closing is None:
            continue
        decision = decide_further(rule, closure.closing, people.person(closure.closing), transaction.now)
        if decision.outcome == "survey":
            entries.append(enter(decision, closure.closing, people, uuid7(), transaction.now, before=closure))
    return entries
