"""Customers of the register are said whole, with their people, whenever one of both changes."""

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta

from ingest import store
from ingest.store import Customer, Key, Registered
from services.contracts.customers import CustomerChanged, CustomerContact, CustomerNoted
from services.database import Transaction
from services.house import House

SWEEP_MOST = 500


async def hear_notes(house: House, transaction: Transaction, events: Sequence[CustomerNoted]) -> None:
    """Notes that the scheduler has heard of customers."""
    await store.mark_customers_heard(transaction, {(event.customer, event.changed_at) for event in events})


async def sweep_customers(house: House, transaction: Transaction, patience: timedelta) -> int:
    """Says again the customers whom the scheduler has not noted, and those who were said without all their people.

    The latter happens where a customer and one of his people are entered at one moment, and neither sees the other.
    """
    unheard = await store.claim_unheard_customers(transaction, patience, SWEEP_MOST)
    await _say(transaction, unheard)
    miscounted = await store.find_miscounted_customers(transaction, patience, SWEEP_MOST)
    return len(unheard) + await say_customers(transaction, miscounted)


async def say_customers(transaction: Transaction, customers: Collection[str]) -> int:
    """Says those customers that the register has, as they are now."""
    touched = await store.touch_customers(transaction, customers) if customers else []
    await _say(transaction, touched)
    return len(touched)


async def _say(transaction: Transaction, customers: Sequence[Customer]) -> None:
    people = await store.find_people(transaction, [each.customer for each in customers]) if customers else {}
    for each in customers:
        transaction.say(_changed(each, people.get(each.customer, ())))


def _changed(customer: Customer, people: Iterable[tuple[Key, Registered]]) -> CustomerChanged:
    if customer.ended:
        return CustomerChanged(customer=customer.customer, changed_at=customer.changed_at, ended=True)
    contacts = tuple(
        CustomerContact(contact=entry.contact, roles=entry.roles, projects=entry.projects, consent=entry.consent)
        for _, entry in people
    )
    return CustomerChanged(
        customer=customer.customer,
        changed_at=customer.changed_at,
        facts=customer.facts,
        contacts=contacts,
        name=customer.name,
    )
