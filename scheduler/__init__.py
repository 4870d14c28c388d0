"""Decides for every reason to ask whether somebody is asked, and leads each survey through its life.

Owns: policies and their approval, plans and samples, the decision ledger (closures, occasions, turns in plans), surveys
and their moves, customers as it heard of them, and their grades.
Hears: TicketClosed, TicketReopened, Occasion, CustomerChanged (ingest); DeliveryReported, OptedOut (notifier);
ResponseGiven, ResponseCorrected (scoring); and time.
Says: PolicyApproved, TicketDecided, OccasionDecided, CustomerNoted, SurveyDue, SurveyEnded.
Never: speaks to a customer, opens a sealed contact, reads an answer.
"""
