"""One example of every event on a wire, with every field set, even those that would not be told together."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from services.contracts.customers import (
    CustomerChanged,
    CustomerContact,
    CustomerFacts,
    CustomerNoted,
    Occasion,
    OccasionDecided,
    OccasionReported,
    Project,
)
from services.contracts.deliveries import DeliveryReported, OptedOut
from services.contracts.envelope import Event
from services.contracts.responses import ResponseCorrected, ResponseGiven
from services.contracts.surveys import PolicyApproved, Respondent, SurveyDue, SurveyEnded
from services.contracts.tickets import (
    Contact,
    Requester,
    TicketClosed,
    TicketDecided,
    TicketFacts,
    TicketReopened,
    TicketReported,
)

AT = datetime(2026, 3, 2, 2, tzinfo=UTC)
SURVEY = UUID("019cab2c-0000-7000-8000-000000000002")
PERSON = Contact(
    person=UUID("019cab2c-0000-7000-8000-000000000001"),
    channels=("email", "sms", "call"),
    sealed=b"sealed",
    locale="zh-CN",
    timezone="Asia/Shanghai",
    staff=True,
)
REQUESTER = Requester(
    id="u-1",
    name="王芳",
    email="fang@example.cn",
    phone="13800138000",
    locale="zh-CN",
    timezone="Asia/Shanghai",
    customer="C-1001",
    staff=True,
)
FACTS = TicketFacts(
    type="request",
    closed_by="customer",
    category="network",
    priority="2",
    customer="C-1001",
    group="Service desk",
    agent="a-1",
    project="P-7",
    region="north",
    tags=("vpn", "office"),
)
ACCEPTED = TicketFacts(type="project accepted", customer="C-1001", project="P-7")

CUSTOMER = CustomerChanged(
    customer="C-1001",
    changed_at=AT,
    name="Example Ltd",
    facts=CustomerFacts(
        kind="consumer",
        tier="core",
        size="large",
        trade="bank",
        region="north",
        grade="A",
        segments=("high-value",),
        active_since=date(2019, 5, 1),
        last_active=date(2026, 2, 20),
        served_by="branch-2",
        owner="u-17",
        projects=(Project(id="P-7", manager="u-3", started=date(2025, 1, 6), accepted=date(2026, 1, 5)),),
        figures={"revenue": 350.0},
    ),
    contacts=(CustomerContact(contact=PERSON, roles=("leader",), projects=("P-7",), consent=("email", "call")),),
    ended=True,
)
DUE = SurveyDue(
    survey=SURVEY,
    step=1,
    kind="reminder",
    channel="sms",
    name="after-ticket",
    policy="service-desk",
    version=3,
    questionnaire="ticket",
    due_at=AT,
    promised_by=AT + timedelta(days=1),
    expires_at=AT + timedelta(days=7),
    contact=PERSON,
    source="servicenow",
    ticket="INC0000060",
    closure=2,
    closed_at=AT - timedelta(hours=2),
    facts=FACTS,
    items=("overall", "speed"),
    owner="u-3",
    respondent=Respondent(
        roles=("leader",),
        kind="organisation",
        tier="core",
        size="large",
        trade="bank",
        grade="A",
        segments=("high-value",),
        served_by="branch-2",
        stratum="service-desk/yearly/2026/core",
        population=120,
    ),
    again=1,
)
GIVEN = ResponseGiven(
    response=UUID("019cab2c-0000-7000-8000-000000000003"),
    survey=SURVEY,
    version=1,
    channel="telephone",
    answered_at=AT,
    policy="service-desk",
    policy_version=3,
    questionnaire="ticket",
    name="after-ticket",
    validity="suspect",
    values={"overall": 2.0, "reason.speed": 1.0},
    score=25.0,
    satisfied=False,
    commented=True,
    flags=("too_fast",),
    source="servicenow",
    ticket="INC0000060",
    closure=2,
    facts=FACTS,
)
CORRECTED = ResponseCorrected(
    response=GIVEN.response,
    survey=SURVEY,
    version=2,
    channel="self",
    answered_at=AT,
    policy="service-desk",
    policy_version=3,
    questionnaire="ticket",
    name="after-ticket",
    validity="valid",
    values={"overall": 4.0},
    score=75.0,
    satisfied=True,
    commented=True,
    flags=("too_fast",),
    source="servicenow",
    ticket="INC0000060",
    closure=2,
    facts=FACTS,
)

EXAMPLES: tuple[Event, ...] = (
    TicketReported(
        source="servicenow",
        ticket="INC0000060",
        state="closed",
        at=AT,
        facts=FACTS,
        requester=REQUESTER,
        requester_id="u-1",
        contact=PERSON,
    ),
    OccasionReported(
        source="crm",
        kind="project accepted",
        id="P-7",
        at=AT,
        facts=ACCEPTED,
        requester=REQUESTER,
        requester_id="u-1",
        contact=PERSON,
    ),
    TicketClosed(source="servicenow", ticket="INC0000060", closure=2, closed_at=AT, facts=FACTS, contact=PERSON),
    TicketReopened(source="servicenow", ticket="INC0000060", closure=2, reopened_at=AT),
    Occasion(source="crm", kind="project accepted", id="P-7", at=AT, facts=ACCEPTED, contact=PERSON),
    CUSTOMER,
    PolicyApproved(policy="service-desk", version=3, effective_from=AT, document='{"policy": "service-desk"}'),
    TicketDecided(
        source="servicenow",
        ticket="INC0000060",
        closure=2,
        outcome="skip",
        reason="recently_asked",
        decided_at=AT,
        with_contact=True,
    ),
    OccasionDecided(
        source="crm",
        kind="project accepted",
        id="P-7",
        outcome="survey",
        reason="due",
        decided_at=AT,
        with_contact=True,
    ),
    CustomerNoted(customer="C-1001", changed_at=AT),
    DUE,
    SurveyEnded(survey=SURVEY, state="answered", cause="response", ended_at=AT),
    DeliveryReported(
        survey=SURVEY, step=1, channel="sms", provider="gateway", outcome="failed", reported_at=AT, detail="refused"
    ),
    OptedOut(person=PERSON.person, survey=SURVEY, scope="survey", opted_out_at=AT),
    GIVEN,
    CORRECTED,
)
