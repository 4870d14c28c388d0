"""The only room that speaks to people.

owns    delivery, attempt, refusal (opt-out), call list, copies of the policies that word its messages
hears   scheduler: PolicyApproved, SurveyDue, SurveyEnded; providers: receipts; customers: the page to decline
says    DeliveryReported, OptedOut
never   decides whom to ask or when, or keeps an address in clear: it opens a sealed contact for one message only
"""
