"""What the scheduler does on hearing of customers, and once a year: it keeps the register and grades it."""

from collections.abc import Sequence
from datetime import timedelta

import structlog

from scheduler import store
from scheduler.calendar import almanac
from scheduler.grading import grade
from scheduler.store import customers
from services.contracts.customers import CustomerChanged, CustomerNoted
from services.contracts.policy import Policy, read_policy
from services.database import Transaction
from services.house import House

log = structlog.get_logger(__name__)

AT_REST = timedelta(hours=1)
"""How long the register must not have changed before its customers are graded: an import comes in many pieces."""


async def take_customers(house: House, transaction: Transaction, events: Sequence[CustomerChanged]) -> None:
    """Keeps customers as they were told last, and echoes each."""
    latest: dict[str, CustomerChanged] = {}
    for event in events:
        known = latest.get(event.customer)
        if known is None or known.changed_at <= event.changed_at:
            latest[event.customer] = event
    await customers.upsert_customers(transaction, latest.values())
    for event in latest.values():
        transaction.say(CustomerNoted(customer=event.customer, changed_at=event.changed_at))


async def grade_customers(house: House, transaction: Transaction) -> int:
    """Grades the register for the year, once, by every policy in force that grades."""
    last = await customers.find_last_change(transaction)
    if last is None or last > transaction.now - AT_REST:
        return 0
    for row in await store.find_policies_in_force(transaction):
        policy = read_policy(row["document"])
        if policy.grading is not None:
            await _grade(transaction, policy)
    return 0


async def _grade(transaction: Transaction, policy: Policy) -> None:
    year = transaction.now.astimezone(almanac(policy.calendar).zone).year
    if policy.grading is None or await customers.is_graded(transaction, policy.policy, year):
        return
    register = {each.id: each.facts for each in await customers.list_customers(transaction)}
    graded = grade(policy.grading, register)
    await customers.insert_grades(transaction, policy.policy, year, graded)
    log.info("customers_graded", policy=policy.policy, year=year, customers=len(graded))
