"""Decides for every closure whether it is surveyed, and leads each survey through its life.

Owns: policies in force, closures as it heard of them, the decision ledger, surveys and their moves.
Hears: TicketClosed, TicketReopened (ingest); DeliveryReported, OptedOut (notifier); ResponseGiven, ResponseCorrected
(scoring); and time.
Says: PolicyApproved, TicketDecided, SurveyDue, SurveyEnded.
Never: speaks to a customer, opens a sealed contact, reads an answer.
"""
