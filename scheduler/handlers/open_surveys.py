"""What is said again after a start: surveys whose page is to be open, in case scoring has missed that they came due."""

from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import structlog

from scheduler.dossier import due
from scheduler.handlers.surveys import load
from scheduler.store.open_surveys import Place, list_queue
from scheduler.survey import last_fixed
from services import metrics
from services.database import Transaction
from services.house import House

log = structlog.get_logger(__name__)

MOST = 500
FIRST = Place(datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0), -1)


class OpenSurveys:
    """Goes once through the surveys that are open, a bounded piece each round, and says the last step of each again.

    Scoring opens the pages that it does not know; the notifier, which knows the steps, only reports on them again.
    """

    def __init__(self) -> None:
        self._behind: Place | None = FIRST

    async def say(self, house: House, transaction: Transaction) -> int:
        """Says the next piece again. Returns 0, so that the next round waits and a large house floods no room."""
        if self._behind is None:
            return 0
        queue = await list_queue(transaction, self._behind, MOST)
        said = 0
        for dossier in await load(transaction, {place.survey for place, is_told in queue if is_told}):
            survey, rule = dossier.survey, dossier.rule
            step = last_fixed(rule, survey, is_quiet=rule.almanac.is_quiet(transaction.now, survey.zone))
            if step is not None:
                transaction.say(due(dossier, step, survey.asked_at or transaction.now))
                said += 1
        transaction.after_commit(partial(self._go_on, queue[-1][0] if len(queue) == MOST else None, said))
        return 0

    def _go_on(self, behind: Place | None, said: int) -> None:
        self._behind = behind
        if said:
            metrics.SAID_AGAIN.labels("scheduler.open_surveys").inc(said)
            log.info("open_surveys_said_again", surveys=said)
