"""The doors: signed webhooks, events in the canonical form, and the register of customers and people."""

from ingest.api import contacts, customer_import, customers, events
from ingest.api.hooks import hooks

ROUTERS = (events.router, contacts.router, customer_import.router, customers.router)

__all__ = ("ROUTERS", "hooks")
