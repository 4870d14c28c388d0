"""A register of made-up customers and a year of tickets and occasions about them, as the files that are imported."""

import csv
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path

from tests.replay.log import UNKNOWN, Closed, closures, read

CUSTOMERS = 500
ROLES = (
    "leader", "administrator", "site administrator", "network centre", "operations", "key person", "project owner",
    "marketing",
)  # fmt: skip
CONSENTS = ("email", "email;sms;call", "sms;call", "email;sms;call;visit", "visit;email")
OCCASIONS = ("project accepted", "goods delivered", "repair done", "complaint handled")
FIRST_DAY = date(2016, 3, 1)
REGISTER = (
    "customer", "kind", "tier", "size", "trade", "region", "active_since", "last_active", "served_by", "owner",
    "project", "project_manager", "person", "email", "phone", "roles", "consent", "figure:revenue", "figure:margin",
    "figure:late_payments", "figure:orders", "figure:share", "figure:years",
)  # fmt: skip
TICKETS = ("ticket", "occasion", "opened_at", "closed_at", "category", "customer", "person", "email", "phone")


def register() -> str:
    """The register: four organisations to one consumer, of every tier, size, trade and region."""
    chance = random.Random(2016)
    return _table(REGISTER, (row for number in range(CUSTOMERS) for row in _customer(chance, number)))


def _customer(chance: random.Random, number: int) -> Iterator[dict[str, object]]:
    is_company = number % 5 > 0
    facts = {
        "customer": f"C-{number:03}",
        "kind": "organisation" if is_company else "consumer",
        "tier": chance.choice(("core", "important", "ordinary", "ordinary")),
        "size": chance.choice(("large", "medium", "small")),
        "trade": chance.choice(("finance", "retail", "health")),
        "region": chance.choice(("north", "south", "east")),
        "active_since": FIRST_DAY - timedelta(days=chance.randrange(301, 4000)),
        "last_active": FIRST_DAY + timedelta(days=chance.randrange(-300, 360)),
        "served_by": f"O-{number % 12:02}",
        "owner": f"seller-{number % 9}",
        "figure:revenue": chance.randrange(2000),
        "figure:margin": chance.randrange(40),
        "figure:late_payments": chance.randrange(5),
        "figure:orders": chance.randrange(50),
        "figure:share": chance.randrange(80),
        "figure:years": chance.randrange(12),
    }
    for place in range(chance.randrange(1, 5) if is_company else 1):
        person = {
            "person": f"p-{number:03}-{place}",
            "email": f"p-{number:03}-{place}@example.com",
            "phone": f"+86138{number * 10 + place:08}",
            "roles": ROLES[(number + place) % len(ROLES)],
            "consent": chance.choice(CONSENTS),
        }
        project = {"project": f"P-{number:03}", "project_manager": f"pm-{number % 7}"} if is_company else {}
        yield {**facts, **project, **person}


def tickets(log: Path, incidents: int | None) -> str:
    """So many incidents of the log (None: all), their callers spread over the customers, and four hundred occasions."""
    every = sorted((closed for rows in read(log).values() for closed in closures(rows)), key=lambda each: each.at)
    wanted = {each.incident for each in every}
    if incidents is not None:
        wanted = {*sorted(wanted)[:: max(1, len(wanted) // incidents)][:incidents]}
    rows = [*_incidents(each for each in every if each.incident in wanted), *_occasions()]
    return _table(TICKETS, rows)


def _incidents(every: Iterable[Closed]) -> Iterator[dict[str, object]]:
    reopened: dict[str, datetime] = {}
    for each in every:
        number = int("".join(filter(str.isdigit, each.caller)) or 0)
        known = {
            "person": each.caller,
            "email": f"caller-{number}@example.com",
            "phone": f"+86139{number:08}",
        }
        yield {
            "ticket": each.incident,
            "opened_at": reopened.get(each.incident, ""),
            "closed_at": each.at.isoformat(),
            "category": f"category {number % 7}",
            "customer": f"C-{number % CUSTOMERS:03}",
            **({} if each.caller == UNKNOWN else known),
        }
        if each.reopened_at is not None:
            reopened[each.incident] = each.reopened_at


def _occasions() -> Iterator[dict[str, object]]:
    chance = random.Random(4)
    for number in range(400):
        customer = chance.randrange(CUSTOMERS)
        at = datetime(2016, 3, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(350 * 24 * 60))
        yield {
            "ticket": f"E-{number}",
            "occasion": OCCASIONS[number % len(OCCASIONS)],
            "closed_at": at.isoformat(),
            "category": "engineering" if number % 8 == 0 else "software",
            "customer": f"C-{customer:03}",
            "person": f"p-{customer:03}-0",
        }


def _table(header: tuple[str, ...], rows: Iterable[dict[str, object]]) -> str:
    text = StringIO()
    writer = csv.DictWriter(text, header, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
