"""Every metric of the house, with its kind, labels and meaning. Labels are closed sets, never free text."""

from prometheus_client import Counter, Gauge, Histogram, Info

_HOURS = tuple(hours * 3600.0 for hours in (0.25, 0.5, 1, 2, 4, 8, 12, 16, 20, 24, 30, 36, 42, 48, 60, 72, 96, 168))
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

BUILD = Info("huifang_build", "Version of the running code.")

# ingest
TICKETS_CLOSED = Counter("huifang_tickets_closed_total", "Closures that became known, once each.", ["source"])
WEBHOOKS = Counter("huifang_webhooks_total", "Webhook requests by what became of them.", ["source", "outcome"])

# scheduler
DECISIONS = Counter("huifang_decisions_total", "Closures decided: surveyed or skipped, and why.", ["outcome", "reason"])
SURVEYS_DUE = Counter("huifang_surveys_due_total", "Steps of surveys that came due.", ["survey", "step"])
FIRST_CONTACT = Histogram(
    "huifang_survey_first_contact_seconds", "Business time from closing to first contact.", buckets=_HOURS
)
SURVEYS_AT_RISK = Gauge("huifang_surveys_at_risk", "Surveys without contact whose promise ends within eight hours.")
SURVEYS_OVERDUE = Gauge("huifang_surveys_overdue", "Surveys without contact whose promise is broken.")
PLANS = Gauge("huifang_plans", "Plans that are not settled, or should be drawn up, by how they stand.", ["standing"])

# notifier
DELIVERIES = Counter("huifang_deliveries_total", "Deliveries by how they went.", ["channel", "provider", "outcome"])
UNCERTAIN = Counter("huifang_uncertain_total", "Sends with an ambiguous end, never repeated blindly.", ["channel"])

# scoring
RESPONSES = Counter("huifang_responses_total", "First answers, once each.", ["survey", "channel", "validity"])
SATISFACTION = Gauge("huifang_satisfaction_ratio", "Satisfied share of the valid answers of 30 days.", ["survey"])
SCANNER_VISITS = Counter("huifang_scanner_visits_total", "Visits to survey pages that look like a link scanner's.")

# services
OUTBOX_ROWS = Gauge("huifang_outbox_rows", "Events said and not yet on their topic.", ["room"])
OUTBOX_OLDEST = Gauge("huifang_outbox_oldest_seconds", "Age of the oldest of them.", ["room"])
CONSUMER_LAG = Gauge("huifang_consumer_lag", "Records that a room has not yet heard.", ["room", "topic"])
DEAD_LETTERS = Counter("huifang_dead_letters_total", "Records put aside.", ["topic", "reason"])
HANDLER_SECONDS = Histogram(
    "huifang_handler_seconds", "Time of a batch in a handler.", ["room", "event", "outcome"], buckets=_FAST
)
HTTP_SECONDS = Histogram(
    "huifang_http_request_seconds", "Time of an HTTP request.", ["room", "route", "method", "status"], buckets=_FAST
)
TICK_FAILURES = Counter("huifang_tick_failures_total", "Rounds of a tick that failed and were rolled back.", ["tick"])
SAID_AGAIN = Counter("huifang_said_again_total", "Events said again because their echo was missing.", ["sweep"])
RESTARTS = Counter("huifang_restarts_total", "Consumers and producers rebuilt after a missed deadline.", ["part"])
