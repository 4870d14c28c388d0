"""The house's front door: whatever an ITSM tells about its tickets comes in here.

Owns: source, receipt, ticket, closure, contact (the register of people, sealed).
Hears: TicketReported, TicketPayload (topic itsm.tickets, webhooks, REST); TicketDecided, the scheduler's echo.
Says: TicketReported (for its own ear, once it is durable), TicketClosed, TicketReopened.
Never: decides whether anybody is asked; calls a stranger; lets a name, an address or a number out unsealed.
"""
