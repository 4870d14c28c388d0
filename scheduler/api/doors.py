"""What the room's routes have in common: their transaction, who may call them, and how lists are paged."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Query

from services.auth import Role, requires
from services.database import Transaction
from services.errors import Problem
from services.web import PAGE_MOST, TransactionOf

SchedulerTransaction = Annotated[Transaction, TransactionOf("scheduler")]
Limit = Annotated[int, Query(ge=1, le=PAGE_MOST, description="Items on a page.")]
Cursor = Annotated[str | None, Query(description="`next` of the page before.")]
Readers = Depends(requires(Role.quality, Role.manager, Role.agent, Role.auditor, Role.integration))
Deciders = Depends(requires(Role.quality, Role.agent))


def must_be_in_order(from_: datetime | None, to: datetime | None) -> None:
    """Refuses a span of time whose end lies before its beginning. Raises `Problem`."""
    if from_ is not None and to is not None and from_ > to:
        raise Problem(422, "invalid", "`from` lies after `to`.")
