"""The scheduler's REST, a file for each subject."""

from fastapi import APIRouter

from scheduler.api import approval, grades, guarantees, policies, surveys, tickets

router = APIRouter(prefix="/v1", tags=["scheduler"])
for each in (tickets, surveys, policies, approval, guarantees, grades):
    router.include_router(each.router)
