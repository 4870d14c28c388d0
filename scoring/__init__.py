"""The house's ear: the page on which the customer answers, and what the answer is worth.

Owns: survey page, response with all its versions, validity, score.
Hears: PolicyApproved (the questionnaires), SurveyDue (open a page), SurveyEnded (close it; the echo of an answer).
Says: ResponseGiven, ResponseCorrected.
Never: sends anything; knows who the customer is; lets a click, a scanner or a prefetch vote; changes an answer's past.
"""
