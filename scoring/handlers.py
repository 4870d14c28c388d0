"""What scoring does on hearing, on being answered, and on the clock."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from msgspec.structs import replace
from pydantic import ValidationError

from scoring import store
from scoring.page import Page
from scoring.store import Origin, PolicyKey
from scoring.submission import Submission, Verdict, Version, decide
from services import metrics
from services.contracts.envelope import Event
from services.contracts.policy import Policy, read_policy
from services.contracts.responses import ResponseCorrected, ResponseGiven
from services.contracts.surveys import PolicyApproved, SurveyDue, SurveyEnded
from services.database import Transaction
from services.house import House
from services.identifiers import uuid7
from services.room import Handler
from services.seal import token_hash
from services.tick import Sweep, Tick

SWEEP_MOST = 500
SATISFACTION_OF = timedelta(days=30)
ORIGINS_KEPT = timedelta(days=7)


async def keep_policies(_: House, transaction: Transaction, events: Sequence[PolicyApproved]) -> None:
    """Keeps the questionnaires of approved policies; puts aside what this version of the language does not know."""
    approved = []
    for event in events:
        try:
            approved.append((event, read_policy(event.document)))
        except ValidationError as error:
            transaction.put_aside(event, "invalid_policy", f"{error.error_count()} faults in {event.policy!r}")
    await store.insert_policies(transaction, approved)


async def open_pages(house: House, transaction: Transaction, events: Sequence[SurveyDue]) -> None:
    """Opens the page of each survey that came due, at the address that only its link knows."""
    pages: dict[UUID, SurveyDue] = {}
    for event in events:
        other = pages.get(event.survey, event)
        first, last = min(event.due_at, other.due_at), max(event.expires_at, other.expires_at)
        pages[event.survey] = replace(other, due_at=first, expires_at=last)
    dues = [(token_hash(house.seal.link_token("survey", survey)), due) for survey, due in pages.items()]
    await store.upsert_pages(transaction, dues)


async def close_pages(_: House, transaction: Transaction, events: Sequence[SurveyEnded]) -> None:
    """Closes pages, and notes the end as the echo of an answer."""
    last: dict[UUID, SurveyEnded] = {}
    for event in events:
        known = last.get(event.survey)
        if known is None or (event.ended_at, event.state) > (known.ended_at, known.state):
            last[event.survey] = event
    await store.upsert_survey_ends(transaction, list(last.values()))


class Policies:
    """The policy versions to which pages are pinned, each read once. They never change."""

    def __init__(self) -> None:
        self._known: dict[PolicyKey, Policy] = {}

    async def learn(self, transaction: Transaction, pages: Iterable[Page]) -> None:
        """Reads what pages need and is not known yet."""
        missing = {(page.policy, page.policy_version) for page in pages} - self._known.keys()
        if missing:
            documents = await store.find_policies(transaction, missing)
            self._known.update((key, read_policy(document)) for key, document in documents.items())

    def of(self, page: Page) -> Policy | None:
        """The page's policy; None while its approval has not been heard."""
        policy = self._known.get((page.policy, page.policy_version))
        return policy if policy and page.questionnaire in policy.questionnaires else None


Judged = tuple[Page | None, Verdict | None]
"""What a submission was for, and what becomes of it. No page: the link is unknown; no verdict: its policy is."""


class Reception:
    """Takes answers, in groups of one transaction each."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    async def take(self, transaction: Transaction, submissions: Sequence[Submission]) -> Sequence[Judged]:
        """What becomes of each submission."""
        pages = await store.find_pages(transaction, (each.token_hash for each in submissions))
        await self._policies.learn(transaction, pages.values())
        neighbourhood = await _neighbourhood(transaction, submissions)
        judged = [self._judge(transaction, pages.get(each.token_hash), each, neighbourhood) for each in submissions]
        await _keep(transaction, judged)
        return judged

    def _judge(
        self,
        transaction: Transaction,
        page: Page | None,
        submission: Submission,
        neighbourhood: dict[str, list[Origin]],
    ) -> Judged:
        policy = self._policies.of(page) if page else None
        if page is None or policy is None:
            return page, None
        since = transaction.now - policy.validity.duplicate_within
        near = neighbourhood.setdefault(submission.origin, []) if submission.origin else []
        others = {each.customer for each in near if each.answered_at > since} - {page.customer}
        verdict = decide(page, policy, submission, transaction.now, len(others), uuid7())
        if verdict.version:
            near.append(Origin(page.customer, transaction.now))
        return page, verdict


async def _neighbourhood(transaction: Transaction, submissions: Sequence[Submission]) -> dict[str, list[Origin]]:
    origins = {each.origin for each in submissions if each.origin}
    if not origins:
        return {}
    return await store.find_origins(transaction, list(origins), transaction.now - ORIGINS_KEPT)


async def _keep(transaction: Transaction, judged: list[Judged]) -> None:
    """Keeps new versions and says them; one that came second after all leaves the answer as it stands."""
    versions: dict[tuple[UUID, int], tuple[Page, Version]] = {}
    for page, verdict in judged:
        if page and verdict and verdict.version:
            versions.setdefault((page.survey, verdict.version.version), (page, verdict.version))
    if not versions:
        return
    added = await store.insert_responses(transaction, list(versions.values()))
    kept = {id(version) for key, (_, version) in versions.items() if key in added}
    for page, version in versions.values():
        if id(version) in kept:
            transaction.say(_event(page, version))
    for place, (page, verdict) in enumerate(judged):
        if verdict and verdict.version and id(verdict.version) not in kept:
            judged[place] = (page, Verdict("kept"))


def _event(page: Page, version: Version) -> ResponseGiven | ResponseCorrected:
    kind = ResponseGiven if version.version == 1 else ResponseCorrected
    return kind(
        response=version.response,
        survey=version.survey,
        version=version.version,
        channel=version.channel,
        answered_at=version.answered_at,
        policy=page.policy,
        policy_version=page.policy_version,
        questionnaire=page.questionnaire,
        name=page.name,
        validity=version.validity,
        values=version.numbers,
        score=version.score,
        satisfied=version.satisfied,
        commented=bool(version.texts),
        flags=version.flags,
        source=page.source,
        ticket=page.ticket,
        closure=page.closure,
        facts=page.facts,
    )


async def say_answers_again(_: House, transaction: Transaction, patience: timedelta) -> int:
    """Says the answers again whose survey has not been heard to end: the scheduler may never have heard them."""
    surveys = await store.take_unheard(transaction, patience, SWEEP_MOST)
    for kept in await store.find_versions(transaction, surveys):
        transaction.say(_event(kept.page, kept.version))
    return len(surveys)


async def measure_satisfaction(_: House, transaction: Transaction) -> int:
    """Shows the satisfied share of each survey's answers of the last month."""
    ratios = await store.measure_satisfaction(transaction, transaction.now - SATISFACTION_OF)
    metrics.SATISFACTION.clear()
    for name, ratio in ratios.items():
        metrics.SATISFACTION.labels(name).set(ratio)
    return 0


async def forget_origins(_: House, transaction: Transaction) -> int:
    """Forgets from which addresses answers came, once that can tell nothing any more."""
    await store.forget_origins(transaction, transaction.now - ORIGINS_KEPT)
    return 0


HANDLERS: Mapping[type[Event], Handler] = {
    PolicyApproved: keep_policies,
    SurveyDue: open_pages,
    SurveyEnded: close_pages,
}

TICKS = (
    Sweep(name="say_answers_again", every=60, say_again=say_answers_again),
    Tick(name="measure_satisfaction", every=10, run=measure_satisfaction),
    Tick(name="forget_origins", every=3600, run=forget_origins),
)
