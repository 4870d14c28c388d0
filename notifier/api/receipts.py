"""The door for providers' receipts."""

from collections.abc import Sequence
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from notifier.api.doors import NotifierTransaction
from notifier.channels import Channels, SmsChannel
from notifier.channels.receipts import Forged, ReceiptCall, Unreadable
from notifier.delivery import Receipt
from notifier.handlers import apply_receipts
from services.errors import Problem
from services.web import HouseOf

log = structlog.get_logger(__name__)


def receipts_router(channels: Channels) -> APIRouter:
    """The door for receipts of the installation's SMS provider; everybody else finds nothing there."""
    receipts = APIRouter(tags=["notifier"])

    async def genuine(provider: str, request: Request, house: HouseOf) -> Sequence[Receipt]:
        if channels.sms is None or channels.sms.provider != provider:
            raise Problem(404, "unknown", "There is no such provider here.")
        return _genuine(channels.sms, await _call(request, house.settings.public_url))

    @receipts.post("/hooks/receipts/{provider}", summary="A provider tells what became of a message")
    async def receive(
        provider: str, told: Annotated[Sequence[Receipt], Depends(genuine)], transaction: NotifierTransaction
    ) -> Response:
        """Signed by the provider's own scheme. The same receipt twice, late or in any order does no harm."""
        await apply_receipts(transaction, provider, told)
        return JSONResponse(dict(channels.sms.acknowledgement) if channels.sms else {})

    return receipts


async def _call(request: Request, public_url: str) -> ReceiptCall:
    """The request as the provider made it, by the public address."""
    query = f"?{request.url.query}" if request.url.query else ""
    url = f"{public_url.rstrip('/')}{request.url.path}{query}"
    return ReceiptCall(url, dict(request.query_params), dict(request.headers), await request.body())


def _genuine(sms: SmsChannel, call: ReceiptCall) -> Sequence[Receipt]:
    try:
        return sms.receipts(call)
    except Forged:
        log.warning("receipt_forged", provider=sms.provider)
        raise Problem(401, "signature", "The signature does not fit.") from None
    except Unreadable:
        raise Problem(400, "unreadable", "The body is not what this provider documents.") from None
