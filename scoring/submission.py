"""A submission: what somebody sent from a survey page, and what becomes of it. Pure.

An answer is a new version of its link's response, and says how many versions its form knew of: two tabs, a double click
or an old form never overwrite what was given meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from scoring.asked import narrowed
from scoring.page import Page, standing
from scoring.response import Answer, Reading, read, texts, values
from scoring.score import judge
from scoring.validity import Circumstances, Flag, flags, is_in
from scoring.visit import Nonce, read_nonce
from services.contracts.policy import Policy
from services.contracts.questionnaire import Questionnaire
from services.contracts.responses import ResponseChannel, Validity

NONCE: Final = "_nonce"
"""The form's hidden field; no item's id begins with an underscore."""

Fate = Literal["given", "corrected", "kept", "answered", "closed", "faulty", "unproven", "foreign"]
"""`kept`: the link's answer stays as it is, and is thanked for. `answered`: it can no longer be changed.

`unproven`: the form did not come from the page; `foreign`: it came from another site.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One POST. `origin` stands for the sender's public address (a keyed hash), where it tells anything.

    `channel` other than `self`: one of us types what the customer said, so nothing has to come from the page.
    """

    token_hash: bytes
    secret: str
    fields: Sequence[tuple[str, str]]
    foreign: bool
    scanner: bool
    address: str | None
    origin: str | None
    channel: ResponseChannel = "self"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a response: what was answered, and what it is worth. It never changes."""

    response: UUID
    survey: UUID
    version: int
    channel: ResponseChannel
    answered_at: datetime
    answers: dict[str, Answer]
    texts: dict[str, str]
    numbers: dict[str, float]
    score: float | None
    satisfied: bool | None
    flags: tuple[Flag, ...]
    origin: str | None

    @property
    def validity(self) -> Validity:
        return "suspect" if self.flags else "valid"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a submission: `version` where it is to be kept, `reading` where it is shown again.

    `issued_at` is when the form was first written: who mends it is not judged as fast for that.
    """

    fate: Fate
    version: Version | None = None
    reading: Reading | None = None
    issued_at: datetime | None = None


def decide(
    page: Page, policy: Policy, submission: Submission, now: datetime, neighbours: int, fresh_id: UUID
) -> Verdict:
    """Judges a submission to a page. `fresh_id` is the response's id if this is its first version.

    What one of us types is a first version only: it never changes what is there.
    """
    state = standing(page, now, policy.corrections.within)
    typed = submission.channel != "self"
    if typed and state == "correctable":
        return Verdict("answered")
    if state in ("answered", "closed"):
        return Verdict("answered" if state == "answered" else "closed")
    if submission.foreign:
        return Verdict("foreign")
    questionnaire = narrowed(policy.questionnaires[page.questionnaire], page.items)
    reading = read(questionnaire, submission.fields)
    nonce = Nonce(now, 0) if typed else read_nonce(submission.secret, dict(submission.fields).get(NONCE, ""))
    if nonce is None:
        return Verdict("unproven", reading=reading)
    if nonce.base != page.version:
        return Verdict("kept")
    if reading.faults:
        return Verdict("faulty", reading=reading, issued_at=nonce.issued_at)
    if page.version and reading.answers == page.answers:
        return Verdict("kept")
    circumstances = Circumstances(
        channel=submission.channel,
        seconds=None if page.version or typed else (now - nonce.issued_at).total_seconds(),
        neighbours=neighbours,
        from_staff_network=is_in(submission.address, policy.validity.staff_networks),
        by_scanner=submission.scanner,
    )
    version = _version(
        page, policy, questionnaire, reading, circumstances, now, page.response or fresh_id, submission.origin
    )
    return Verdict("corrected" if page.version else "given", version)


def _version(
    page: Page,
    policy: Policy,
    questionnaire: Questionnaire,
    reading: Reading,
    circumstances: Circumstances,
    now: datetime,
    response: UUID,
    origin: str | None,
) -> Version:
    numbers = values(questionnaire, reading.answers)
    judgement = judge(questionnaire, numbers, policy.scores_of(page.name), policy.dimensions)
    written = texts(questionnaire, reading.answers)
    return Version(
        response=response,
        survey=page.survey,
        version=page.version + 1,
        channel=circumstances.channel,
        answered_at=now,
        answers={item: answer for item, answer in reading.answers.items() if item not in written},
        texts=written,
        numbers=numbers,
        score=judgement.score,
        satisfied=judgement.satisfied,
        flags=flags(questionnaire, reading.answers, circumstances, policy.validity),
        origin=origin,
    )
