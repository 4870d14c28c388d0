"""What comes of a telephone call or a visit. Pure."""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

CallWord = Literal["talked", "no_answer", "busy", "refused", "wrong_number", "call_back"]
CallEnd = Literal["talked", "refused", "wrong_number", "no_answer"]

MOST_ATTEMPTS = 5
_WAIT: dict[CallWord, timedelta] = {"no_answer": timedelta(hours=2), "busy": timedelta(minutes=20)}


class CallOutcome(NamedTuple):
    """`ends_as` is how the call ends now, `ends_as_last` how if this was the last attempt; None: it does not end."""

    said: CallWord
    ends_as: CallEnd | None
    ends_as_last: CallEnd | None
    next_at: datetime


def call_outcome(said: CallWord, now: datetime, call_back_at: datetime | None) -> CallOutcome:
    """What an agent's word makes of a call or visit at `now`. A talk, a refusal and a wrong number end it at once.

    Nobody answering ends it after `MOST_ATTEMPTS`; a customer who named a time is always called then.
    """
    match said:
        case "talked" | "refused" | "wrong_number":
            return CallOutcome(said, said, said, now)
        case "call_back":
            return CallOutcome(said, None, None, call_back_at or now)
        case "no_answer" | "busy":
            return CallOutcome(said, None, "no_answer", now + _WAIT[said])
