"""REST: guaranteed follow-up, counted."""

from fastapi import APIRouter
from pydantic import BaseModel

from scheduler.api.doors import Readers, SchedulerTransaction
from scheduler.guarantee import prove, tally
from scheduler.handlers.closures import rules_in_force
from scheduler.handlers.guarantees import span_of, terms_now
from scheduler.store import guarantees
from services.web import Page

router = APIRouter(prefix="/v1", tags=["scheduler"])


class GuaranteeItem(BaseModel):
    """A guarantee in one period: of `total` cases `asked` are asked about, and `required` must be followed up.

    `followed_up` are, `under_way` may still be; `met` judges by those that are.
    """

    policy: str
    survey: str
    period: str
    total: int
    asked: int
    required: int
    followed_up: int
    under_way: int
    met: bool


@router.get("/guarantees", dependencies=[Readers])
async def list_guarantees(transaction: SchedulerTransaction) -> Page[GuaranteeItem]:
    """Every guarantee of the policies in force, in its last and its present period."""
    items = []
    for rule in await rules_in_force(transaction):
        guarantee = rule.survey.guarantee
        for term in terms_now(rule, transaction.now):
            if guarantee is not None:
                groups = await guarantees.count_cases(transaction, rule.title, rule.name, *span_of(rule, term))
                cases = tally(rule, guarantee, groups)
                proof = prove(guarantee, cases)
                items.append(
                    GuaranteeItem(
                        policy=rule.policy,
                        survey=rule.name,
                        period=term.key,
                        total=cases.total,
                        asked=cases.asked,
                        required=proof.required,
                        followed_up=cases.followed_up,
                        under_way=cases.under_way,
                        met=proof.met,
                    )
                )
    return Page(items=items)
