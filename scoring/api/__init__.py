"""What was answered, and what it comes to: REST for people and programs inside the company."""

from fastapi import APIRouter

from scoring.api import responses, scores

router = APIRouter(prefix="/v1", tags=["scoring"])
router.include_router(responses.router)
router.include_router(scores.router)
