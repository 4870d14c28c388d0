"""From when until when answers are wanted."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime

from services.errors import Problem

LONGEST = timedelta(days=366 * 20)

Since = Annotated[AwareDatetime | None, Query(alias="from", description="First answered then or later.")]
Until = Annotated[AwareDatetime | None, Query(alias="to", description="First answered before then.")]


def check_window(since: datetime | None, until: datetime | None) -> None:
    """Raises `Problem` for a time that ends before it begins, or that is longer than anything kept."""
    if since and until and not timedelta(0) < until - since <= LONGEST:
        raise Problem(422, "period", "`to` must lie after `from`, by 20 years at most.")
