"""A quarter of a small company: sixty customers, a survey by the calendar, and what the scheduler makes of it."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from scheduler import store
from scheduler.closure import Closure
from scheduler.handlers.plans import Planner, open_plans, replace_lost_units, settle_plans
from scheduler.plan import Standing
from scheduler.store import plans
from services.clock import DrivenClock
from services.contracts.customers import CustomerChanged, CustomerContact, CustomerFacts, Project
from services.contracts.deliveries import DeliveryOutcome
from services.contracts.policy import Policy
from services.contracts.surveys import SurveyDue
from services.contracts.tickets import Channel
from services.database import Record
from services.house import House
from tests.scheduler.desk import Desk, only, person, report
from tests.scheduler.rules import policy

LAST_YEAR = datetime(2025, 12, 1, tzinfo=UTC)
DRAWN = datetime(2026, 3, 13, 1, tzinfo=UTC)  # ten days before the opening, 9:00 in Shanghai
READY = datetime(2026, 3, 16, 1, tzinfo=UTC)
OPENS = datetime(2026, 3, 23, 1, tzinfo=UTC)
PROMISED = OPENS + timedelta(days=5)
TIERS = ("core",) * 10 + ("important",) * 20 + ("ordinary",) * 30
SAMPLE = {"size": "20%", "strata": ["tier"], "over": {"core": 2}, "minimum_each": 1}


def quarter(
    plan: dict[str, Any] | None = None,
    limit: str | None = None,
    calendar: dict[str, Any] | None = None,
    **survey: Any,
) -> Policy:
    """A policy that asks core to ordinary customers in the last days of a quarter; keywords replace keys of it."""
    base = {
        "on": None,
        "every": "quarter, from 10 days before its end",
        "ask": {"contacts": {"role": ["leader"]}},
        "send": {"within": "5d"},
        "steps": [{"first": ["email"]}, {"call": "8 working hours before deadline"}],
        "expires": "14d",
        "goal": {"zh": "了解总体评价", "en": "How customers judge us"},
    }
    written = policy(calendar, limit, **{**base, **survey}).model_dump(by_alias=True, mode="json", exclude_none=True)
    return Policy.model_validate(
        {**written, "plans": {"ready": "7-10 days before", "approve": "director", "sample": SAMPLE, **(plan or {})}}
    )


def people(number: int, consent: tuple[Channel, ...] = ("email", "call"), **fields: Any) -> tuple[CustomerContact, ...]:
    """The leader and a user of a customer."""
    return tuple(
        CustomerContact(contact=person(10 * number + place, **fields), roles=(role,), consent=consent)
        for place, role in enumerate(("leader", "user"))
    )


def customers(numbers: Iterable[int] = range(60), at: datetime = LAST_YEAR) -> list[CustomerChanged]:
    """The register. Every third customer has not been active for a year."""
    return [
        CustomerChanged(
            customer=f"C-{number:02}",
            changed_at=at,
            facts=CustomerFacts(
                tier=TIERS[number],
                region=("north", "south")[number % 2],
                last_active=date(2025, 1, 1) if number % 3 == 0 else date(2026, 2, 1),
                owner=f"seller-{number % 4}",
                projects=(
                    Project(id=f"P-{number:02}-1", manager="pm-1", started=date(2024, 1, 1)),
                    Project(id=f"P-{number:02}-2", manager="pm-2", started=date(2025, 1, 1)),
                ),
            ),
            contacts=people(number),
        )
        for number in numbers
    ]


class Quarter(Desk):
    """A scheduler that does by the clock all that concerns plans."""

    def __init__(self, house: House, clock: DrivenClock) -> None:
        super().__init__(house, clock)
        self.planner = Planner()

    @classmethod
    async def begin(
        cls, house: House, clock: DrivenClock, policy: Policy, register: list[CustomerChanged] | None = None
    ) -> "Quarter":
        """With a policy in force and a register, on 2 March 2026."""
        desk = cls(house, clock)
        await desk.install(policy)
        await desk.hear(*(customers() if register is None else register))
        return desk

    async def days(
        self, to: datetime, outcome: Callable[[SurveyDue], DeliveryOutcome] = lambda due: "accepted"
    ) -> list[SurveyDue]:
        """Lets one day after the other come, approves every plan, and ends every step so; returns what was said."""
        said: list[SurveyDue] = []
        while self.clock.now() < to:
            self.clock.set(min(self.clock.now() + timedelta(days=1), to))
            dues = await self.round()
            await self.approve()
            said += dues
            await self.hear(*(report(due, outcome(due), self.clock.now()) for due in dues))
        return said

    async def at(self, moment: datetime) -> list[SurveyDue]:
        """Lets that moment come at once; returns the steps that were said."""
        self.clock.set(moment)
        return await self.round()

    async def round(self) -> list[SurveyDue]:
        """Every tick until nothing is left to do."""
        for run in (self.planner.draw_plans, open_plans, replace_lost_units, open_plans, settle_plans):
            while await self.house.database.run("scheduler", lambda transaction, run=run: run(self.house, transaction)):  # type: ignore[misc]
                pass
        return only(await self.come(timedelta(0)), SurveyDue)

    async def plans(self, standing: Standing | None = None) -> list[Record]:
        query = plans.PlanQuery(None, None, standing, None, None, None)
        async with self.house.database.reading() as transaction:
            return await plans.list_plans(transaction, query, 100)

    async def plan(self) -> Record:
        """The one plan."""
        (plan,) = await self.plans()
        return plan

    async def plan_of(self, survey: str) -> Record:
        """The one plan of a survey."""
        (plan,) = [each for each in await self.plans() if each["survey"] == survey]
        return plan

    async def units(self, survey: str = "incident", *, chosen: bool | None = None) -> list[Record]:
        """The units of the one plan of a survey."""
        plan = await self.plan_of(survey)
        async with self.house.database.reading() as transaction:
            return await plans.list_units(transaction, plan["id"], 0, 10_000, chosen=chosen)

    async def approve(self, by: str = "Director", at: datetime | None = None) -> None:
        """Has all plans approved that wait for it, as the REST does."""
        if at is not None:
            self.clock.set(at)
        for plan in await self.plans():
            if plan["approver"] is None or plan["approved_at"] is not None:
                continue
            begins_at = max(plan["opens_at"], self.clock.now())
            promised_by = begins_at + (plan["promised_by"] - plan["opens_at"])
            async with self.house.database.transaction("scheduler") as transaction:
                await plans.save_approval(transaction, plan["id"], by, None, begins_at, promised_by)

    async def turns(self) -> dict[str, list[Closure]]:
        """The ledger's closures of units, by customer."""
        units = await self.units(chosen=True)
        async with self.house.database.reading() as transaction:
            closures = await store.find_closures(transaction, [("plan", row["ticket"]) for row in units])
        of = {row["ticket"]: row["customer"] for row in units}
        found: dict[str, list[Closure]] = {}
        for closure in closures.values():
            found.setdefault(of[closure.key.ticket], []).append(closure)
        return found
