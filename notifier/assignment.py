"""What a worker takes with him to a mail server or an SMS provider, and whether he may go. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from notifier.delivery import Settlement, quiet_until, refusal
from notifier.matter import Matter, matter_of
from notifier.message import Mail, PreparedMail, PreparedText, Recipient, Text
from notifier.wording import Kind, greeting, locale_of, written_out
from services.contracts.policy import Policy
from services.contracts.questionnaire import Locale

PATIENCE = timedelta(minutes=1)


class Shape(NamedTuple):
    """What a prepared message depends on."""

    policy: str
    version: int
    questionnaire: str
    kind: Kind
    locale: Locale
    matter: Matter
    whole: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """A claimed delivery with what is known of it. `address` is a usable one or None; `expires_at` closes the page.

    `about` is the survey's name in the policy, `name` the person's; `items` are those that are asked (none: all).
    """

    delivery: UUID
    fence: int
    survey: UUID
    step: int
    attempt: int
    kind: Kind
    about: str
    questionnaire: str
    items: Sequence[str]
    ticket: str | None
    expires_at: datetime
    ended: str | None
    opted_out: bool
    erased: bool
    name: str
    address: str | None
    address_hash: UUID | None
    locale: str | None
    timezone: str | None
    version: int
    policy: Policy | None

    def shape(self, policy: Policy) -> Shape:
        """The shape of the message that it needs."""
        locale, matter = locale_of(self.locale, policy), matter_of(policy, self.about, self.ticket)
        overall = policy.questionnaires[self.questionnaire].overall
        whole = not self.items or (overall is not None and overall.id in self.items)
        return Shape(policy.policy, self.version, self.questionnaire, self.kind, locale, matter, whole)

    def zone(self, policy: Policy) -> ZoneInfo:
        """The person's time zone where it is known and exists, else the policy's."""
        try:
            return ZoneInfo(self.timezone or policy.calendar.timezone)
        except (KeyError, ValueError, OSError):
            return ZoneInfo(policy.calendar.timezone)


@dataclass(frozen=True, slots=True)
class Assignment:
    """One delivery under way. `attempt` counts from 1; `deadline` is a moment of the event loop's clock."""

    delivery: UUID
    fence: int
    survey: UUID
    step: int
    attempt: int
    expires_at: datetime
    recipient: Recipient
    address_hash: UUID
    prepared: PreparedMail | PreparedText
    at: datetime
    deadline: float

    def message(self) -> Mail | Text:
        """The message, written out."""
        if isinstance(self.prepared, PreparedMail):
            return self.prepared.fill(self.recipient, survey=self.survey, step=self.step, at=self.at)
        return self.prepared.fill(self.recipient, reference=str(self.delivery))


def judge(candidate: Candidate, *, now: datetime, dead: bool, provider: bool) -> Settlement | None:
    """Why nothing must be sent now, or None: refused for good, or put off by quiet hours.

    `dead`: the address was refused for good before; `provider`: there is one for the channel. What this version of the
    code cannot read is left to a newer one.
    """
    refused = refusal(
        ended=candidate.ended,
        opted_out=candidate.opted_out,
        expired=candidate.expires_at <= now,
        erased=candidate.erased,
        address=candidate.address,
        dead=dead,
        provider=provider,
    )
    policy = candidate.policy
    if refused:
        return refused
    if policy is None:
        return Settlement("planned", "policy unreadable", now + PATIENCE)
    if candidate.questionnaire not in policy.questionnaires:
        return Settlement("failed", "no such questionnaire")
    quiet = quiet_until(now, candidate.zone(policy), policy.calendar.quiet)
    return Settlement("planned", "quiet hours", quiet) if quiet else None


def assign(
    candidate: Candidate,
    prepared: PreparedMail | PreparedText,
    *,
    links: tuple[str, str],
    at: datetime,
    deadline: float,
) -> Assignment:
    """The assignment for a candidate that nothing speaks against. `links`: to the survey page, and to decline.

    Raises `ValueError` where address or policy are missing, which `judge` does not let pass.
    """
    policy = candidate.policy
    if policy is None or candidate.address is None or candidate.address_hash is None:
        raise ValueError("a candidate without address or policy")
    locale = locale_of(candidate.locale, policy)
    recipient = Recipient(
        address=candidate.address,
        greeting=greeting(candidate.name, locale),
        name=candidate.name,
        ticket=(candidate.ticket or "") if matter_of(policy, candidate.about, candidate.ticket).is_ticket else "",
        link=links[0],
        opt_out=links[1],
        expires=written_out(candidate.expires_at, candidate.zone(policy), locale),
    )
    return Assignment(
        delivery=candidate.delivery,
        fence=candidate.fence,
        survey=candidate.survey,
        step=candidate.step,
        attempt=candidate.attempt,
        expires_at=candidate.expires_at,
        recipient=recipient,
        address_hash=candidate.address_hash,
        prepared=prepared,
        at=at,
        deadline=deadline,
    )
