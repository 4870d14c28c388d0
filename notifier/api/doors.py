"""What every address of the notifier needs."""

from typing import Annotated

from fastapi import Query

from services.database import Transaction
from services.web import PAGE_MOST, TransactionOf

NotifierTransaction = Annotated[Transaction, TransactionOf("notifier")]
Limit = Annotated[int, Query(ge=1, le=PAGE_MOST, description="Items on a page.")]
Cursor = Annotated[str | None, Query(description="`next` of the page before.")]
