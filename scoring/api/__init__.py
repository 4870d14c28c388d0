"""What was answered, and what it comes to: REST for people and programs inside the company."""

from scoring.api import responses, scores

ROUTERS = (responses.router, scores.router)
