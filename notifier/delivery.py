"""The life of a delivery, the schedule of its attempts, and what a provider's answer means. Pure.

    planned → claimed → sending → accepted → delivered
                              ↘ failed · bounced · uncertain · suppressed

`accepted`: the provider took it. `failed`: it never left, for good. `bounced`: taken, and later known not to have
arrived. `uncertain`: the line broke when the provider might have taken it; it is never sent again blindly.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

State = Literal[
    "planned", "claimed", "sending", "accepted", "delivered", "failed", "bounced", "uncertain", "suppressed"
]
ENDS: frozenset[State] = frozenset({"delivered", "failed", "bounced", "suppressed"})
"""States that nothing leaves."""

_RANK: dict[State, int] = {"planned": 0, "claimed": 0, "sending": 0, "uncertain": 1, "accepted": 2}

Ending = Literal["accepted", "temporary", "permanent", "uncertain", "unstarted"]
Stage = Literal["connect", "tls", "login", "sender", "recipient", "content", "answer"]

RETRIES = tuple(
    timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 120, 240, 480)
)  # eight attempts over about fifteen hours
JITTER = 0.2
LONGEST_WAIT = timedelta(days=365)
UNCERTAIN_FOR = timedelta(hours=24)
ASK_AFTER = timedelta(minutes=1)
ASK_AGAIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended. `detail` is made of codes only: replies often quote the address, so their text is dropped.

    `reference` is the provider's own; `retry_after` is what the provider asked for; `address_dead` says that the
    address itself was refused, so that nothing is ever sent there again. `unstarted`: nothing was said to anybody.
    """

    ending: Ending
    detail: str
    reference: str | None = None
    retry_after: timedelta | None = None
    address_dead: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider told later. `delivery` is our own reference where the provider gives it back."""

    state: State
    detail: str
    delivery: UUID | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an outcome makes of a delivery; `next_at` is set where it goes back to `planned`."""

    state: State
    detail: str
    next_at: datetime | None = None


def settle(outcome: Outcome, *, attempts: int, now: datetime, until: datetime, jitter: float) -> Settlement:
    """The state after attempt number `attempts` (from 1) ended as `outcome` at `now`.

    A definite temporary failure is tried again by `RETRIES`, unless that would be at `until` (the survey's end) or
    later. `jitter` is a random number from 0 to 1.
    """
    match outcome.ending:
        case "accepted":
            return Settlement("accepted", outcome.detail)
        case "uncertain":
            return Settlement("uncertain", outcome.detail)
        case "permanent":
            return Settlement("failed", outcome.detail)
        case "unstarted":
            return Settlement("planned", outcome.detail, now)
        case "temporary":
            next_at = retry_at(attempts, now, jitter, outcome.retry_after)
            if next_at is None or next_at >= until:
                return Settlement("failed", f"gave up: {outcome.detail}")
            return Settlement("planned", outcome.detail, next_at)


def retry_at(attempts: int, now: datetime, jitter: float, retry_after: timedelta | None = None) -> datetime | None:
    """When to try again after `attempts` definite failures; None when the schedule is used up.

    The wait is that of the schedule ± 20 % by `jitter` (0 to 1), and never shorter than the provider asked for.
    """
    if not 1 <= attempts <= len(RETRIES):
        return None
    wait = RETRIES[attempts - 1] * (1 + JITTER * (2 * jitter - 1))
    if retry_after is not None:
        wait = max(wait, min(retry_after, LONGEST_WAIT))
    return now + wait


def after_receipt(state: State, receipt: State) -> State:
    """The state once a provider tells `receipt`, whatever the order in which receipts and answers come.

    An end is never left, and a later station never goes back to an earlier one. `planned` is the answer to a question:
    the provider never had it, so what was uncertain may be sent again.
    """
    if state in ENDS:
        return state
    if receipt == "planned":
        return "planned" if state == "uncertain" else state
    if receipt in ENDS:
        return receipt
    return receipt if _RANK[receipt] > _RANK[state] else state


def quiet_until(now: datetime, zone: ZoneInfo, quiet: tuple[time, time] | None) -> datetime | None:
    """When the quiet hours that `now` falls into end, in UTC; None outside them.

    `quiet` is local time from its first to its second moment, over midnight where that is the earlier one; equal
    moments mean never.
    """
    if quiet is None or quiet[0] == quiet[1]:
        return None
    start, end = quiet
    local = now.astimezone(zone)
    clock = local.time()
    over_midnight = start > end
    inside = (clock >= start or clock < end) if over_midnight else start <= clock < end
    if not inside:
        return None
    day = local.date() + timedelta(days=1) if over_midnight and clock >= start else local.date()
    ends = datetime.combine(day, end, tzinfo=zone).astimezone(UTC)
    return ends if ends > now else now.astimezone(UTC) + timedelta(minutes=1)


def smtp_reply(stage: Stage, code: int, text: str) -> Outcome:
    """What an SMTP reply means (RFC 5321 section 4.2, RFC 3463); `stage` is the command that it answers.

    An enhanced code wins over the basic one. Refused log-ins and refused connections are the house's own trouble and
    pass, so they count as temporary; so does a full mailbox.
    """
    enhanced = _enhanced(text)
    detail = f"smtp {stage} {code}{' ' + enhanced if enhanced else ''}"
    if stage == "answer" and not 400 <= code < 600:
        return Outcome("accepted" if 200 <= code < 300 else "uncertain", detail)
    if stage in ("connect", "tls", "login") or code in _OURS or not _permanent(code, enhanced):
        return Outcome("temporary", detail)
    # Some servers judge the recipient only after the content; without an enhanced code it may then be the content.
    dead = enhanced[2:] in _DEAD if enhanced else stage == "recipient" and code in (550, 551, 553)
    return Outcome("permanent", detail, address_dead=dead)


_OURS = frozenset({421, 530, 534, 535, 538})  # closing down, or a log-in that it demands, refuses or wants otherwise
_DEAD = frozenset(
    {"1.0", "1.1", "1.2", "1.3", "1.6", "1.10", "2.1"}
)  # no such mailbox or domain, moved, null MX, closed
_SOFT = frozenset({"2.2", "3.1", "4.1", "4.4", "4.5", "4.7"})  # full, congested, unreachable: 5.x.x there is a slip


def _enhanced(text: str) -> str:
    """The code of RFC 3463 at the start of a reply, or nothing."""
    first, *_ = text.split(None, 1) or [""]
    parts = first.split(".")
    shaped = len(parts) == 3 and all(part.isascii() and part.isdigit() and len(part) <= 3 for part in parts)
    return first if shaped and parts[0] in ("2", "4", "5") else ""


def _permanent(code: int, enhanced: str) -> bool:
    if enhanced:
        return enhanced[0] == "5" and enhanced[2:] not in _SOFT
    return 500 <= code < 600 and code != 552


def http_reply(provider: str, status: int, *, code: str = "", retry_after: timedelta | None = None) -> Outcome:
    """What an HTTP status means that is no success, for an API that sends.

    429, 500 and 503 are the API's own word that it did not send. 502 and 504 come from something in between, which
    cannot know: uncertain. 401, 403 and 404 are the house's own trouble, and pass. `code` is the provider's own.
    """
    detail = f"{provider} {status}{' ' + code if code else ''}"
    if 300 <= status < 400 or status in (401, 403, 404, 408, 425, 429, 500, 503):
        return Outcome("temporary", detail, retry_after=retry_after)
    if 400 <= status < 500:
        return Outcome("permanent", detail)
    return Outcome("uncertain", detail)


def refusal(
    *, ended: str | None, opted_out: bool, expired: bool, erased: bool, address: str | None, dead: bool, provider: bool
) -> Settlement | None:
    """Why a claimed delivery must not be sent now, or None. The first reason that holds, the customer's own will first.

    `suppressed` is nobody's failure; `failed` lets the survey try another channel.
    """
    if opted_out:
        return Settlement("suppressed", "opted out")
    if ended:
        return Settlement("suppressed", f"survey {ended}")
    if expired:
        return Settlement("suppressed", "expired")
    if erased:
        return Settlement("suppressed", "erased")
    if address is None:
        return Settlement("failed", "no usable address")
    if dead:
        return Settlement("failed", "address refused before")
    if not provider:
        return Settlement("failed", "no provider")
    return None
