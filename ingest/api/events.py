"""`/v1/events`: events in the canonical form."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from ingest.cloudevent import CloudEventsError, Reported, read_events
from ingest.handlers import promise, refuse
from ingest.payload import PayloadError, is_json, parse
from services.auth import Role, requires
from services.database import Transaction
from services.errors import Problem
from services.web import HouseOf, TransactionOf

_EVENT = {"type": "object", "required": ["specversion", "id", "source", "type", "data"]}
_EVENTS = {
    "required": True,
    "content": {
        "application/cloudevents+json": {"schema": _EVENT},
        "application/cloudevents-batch+json": {"schema": {"type": "array", "items": _EVENT}},
        "application/json": {"schema": {"anyOf": [_EVENT, {"type": "array", "items": _EVENT}]}},
    },
}

router = APIRouter(prefix="/v1", dependencies=[Depends(requires(Role.integration))])
InTransaction = Annotated[Transaction, TransactionOf("ingest")]


class Accepted(BaseModel):
    """How many events were stored durably."""

    status: Literal["accepted"] = "accepted"
    accepted: int


async def read_reports(request: Request, house: HouseOf) -> list[Reported]:
    """The body of `/v1/events`; a dependency, so that it has arrived before a transaction is opened."""
    if not is_json(request.headers.get("content-type"), "cloudevents+json", "cloudevents-batch+json"):
        raise Problem(415, "media-type", "Send application/cloudevents+json, …-batch+json or application/json.")
    try:
        reports = read_events(parse(await request.body()))
    except PayloadError as error:
        raise Problem(400, "malformed", f"The request is malformed: {error}.") from None
    except CloudEventsError as error:
        raise _refused_events([(fault.place, fault.what) for fault in error.faults]) from None
    faults = [(place, what) for place, report in enumerate(reports) if (what := refuse(house, report))]
    if faults:
        raise _refused_events(faults)
    return reports


@router.post("/events", status_code=202, openapi_extra={"requestBody": _EVENTS})
async def post_events(
    reports: Annotated[list[Reported], Depends(read_reports)], house: HouseOf, transaction: InTransaction
) -> Accepted:
    """Takes what happened to tickets, and other occasions to ask: one CloudEvent or an array; all of them or none."""
    await promise(house, transaction, reports)
    return Accepted(accepted=len(reports))


def _refused_events(faults: Sequence[tuple[int, str]]) -> Problem:
    errors = [{"where": f"body.{index}", "what": what, "kind": "event"} for index, what in faults]
    return Problem(422, "events", "Some events cannot be taken, so none was.", errors=errors)
