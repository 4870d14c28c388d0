"""What the scheduler hears and what it does by the clock: the whole room as two tables."""

from collections.abc import Mapping

from scheduler.handlers.closures import take_closings, take_occasions, take_reopenings
from scheduler.handlers.customers import grade_customers, take_customers
from scheduler.handlers.guarantees import keep_guarantees
from scheduler.handlers.plans import Planner, open_plans, replace_lost_units, settle_plans
from scheduler.handlers.responses import take_responses
from scheduler.handlers.surveys import bring_up, measure, say_due_again, take_refusals, take_reports
from services.contracts.customers import CustomerChanged, Occasion
from services.contracts.deliveries import DeliveryReported, OptedOut
from services.contracts.envelope import Event
from services.contracts.responses import ResponseCorrected, ResponseGiven
from services.contracts.tickets import TicketClosed, TicketReopened
from services.room import Handler
from services.tick import Sweep, Tick

COME_UP_SECONDS = 0.5
SWEEP_SECONDS = 30.0
MEASURE_SECONDS = 15.0
PLAN_SECONDS = 5.0
GRADE_SECONDS = 30.0
GUARANTEE_SECONDS = 20.0

PLANNER = Planner()

HANDLERS: Mapping[type[Event], Handler] = {
    TicketClosed: take_closings,
    TicketReopened: take_reopenings,
    Occasion: take_occasions,
    CustomerChanged: take_customers,
    DeliveryReported: take_reports,
    OptedOut: take_refusals,
    ResponseGiven: take_responses,
    ResponseCorrected: take_responses,
}

TICKS = (
    Tick(name="bring_up", every=COME_UP_SECONDS, run=bring_up),
    Tick(name="keep_guarantees", every=GUARANTEE_SECONDS, run=keep_guarantees),
    Tick(name="grade_customers", every=GRADE_SECONDS, run=grade_customers),
    Tick(name="draw_plans", every=PLAN_SECONDS, run=PLANNER.draw_plans),
    Tick(name="open_plans", every=PLAN_SECONDS, run=open_plans),
    Tick(name="replace_lost_units", every=PLAN_SECONDS, run=replace_lost_units),
    Tick(name="settle_plans", every=PLAN_SECONDS, run=settle_plans),
    Tick(name="measure", every=MEASURE_SECONDS, run=measure),
    Tick(name="measure_plans", every=MEASURE_SECONDS, run=PLANNER.measure_plans),
    Sweep(name="say_due_again", every=SWEEP_SECONDS, say_again=say_due_again),
)
