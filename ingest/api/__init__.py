"""The doors: signed webhooks, events in the canonical form, and the register of people."""

from ingest.api import contacts, events
from ingest.api.hooks import hooks

ROUTERS = (events.router, contacts.router)

__all__ = ("ROUTERS", "hooks")
