"""The house's front door: what a company's systems tell about tickets, occasions and customers comes in here.

Owns: source, receipt, ticket, closure, occasion, customer, contact (the register of customers and people, sealed).
Hears: TicketReported, TicketPayload, OccasionReported (topic itsm.tickets, webhooks, REST); the scheduler's echoes
    TicketDecided, OccasionDecided, CustomerNoted.
Says: TicketReported, OccasionReported (for its own ear, once durable), TicketClosed, TicketReopened, Occasion,
    CustomerChanged.
Never: decides whether anybody is asked; calls a stranger; lets a name, an address or a number out unsealed.
"""
