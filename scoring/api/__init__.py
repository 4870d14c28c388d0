"""What was answered, and what it comes to: REST for people and programs inside the company."""

from scoring.api import entries, responses, scores

ROUTERS = (responses.router, entries.router, scores.router)
