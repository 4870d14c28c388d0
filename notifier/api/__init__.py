"""The notifier's REST: the delivery log, the list of calls and visits, and the door for providers' receipts."""

from fastapi import APIRouter

from notifier.api import calls, deliveries
from notifier.api.receipts import receipts_router
from notifier.channels import Channels


def routers(channels: Channels) -> tuple[APIRouter, ...]:
    """All of it, for an installation with these channels."""
    return deliveries.router, calls.router, receipts_router(channels)
