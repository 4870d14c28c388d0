"""The scheduler's REST, a file for each subject."""

from scheduler.api import approval, grades, guarantees, plans, policies, simulations, surveys, tickets

ROUTERS = tuple(each.router for each in (tickets, surveys, simulations, policies, approval, plans, guarantees, grades))
