"""What the scheduler does on hearing that a customer answered: the survey ends, and another may follow from it."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from scheduler import store
from scheduler.again import Asking, answer_of, asked_again
from scheduler.closure import Key
from scheduler.dossier import Change, Dossier
from scheduler.handlers.closures import find_people, find_register, record
from scheduler.handlers.surveys import known, save
from scheduler.ledger import enter
from scheduler.policy import decide_by
from scheduler.survey import answered
from services.contracts.policy import read_policy
from services.contracts.questionnaire import Questionnaire
from services.contracts.responses import Response, ResponseGiven
from services.database import Transaction
from services.house import House
from services.identifiers import uuid7

SELF = "self"


async def take_responses(house: House, transaction: Transaction, events: Sequence[Response]) -> None:
    """The customer answered, himself or through an agent. A correction does not decide anew who is asked again."""
    first: dict[UUID, Response] = {}
    for event in events:
        if event.survey not in first or event.answered_at < first[event.survey].answered_at:
            first[event.survey] = event
    dossiers = await known(transaction, first)
    changes = []
    for dossier in dossiers:
        event = first[dossier.survey.id]
        actor = "customer" if event.channel == SELF else "agent"
        after = answered(dossier.rule, dossier.survey, event.channel, event.answered_at)
        changes.append(Change(dossier, after, "response", actor))
    await save(transaction, changes)
    given = {event.survey: event for event in events if isinstance(event, ResponseGiven)}
    await _ask_again(transaction, [each for each in dossiers if each.rule.survey.again], given)


async def _ask_again(
    transaction: Transaction, dossiers: Sequence[Dossier], given: Mapping[UUID, ResponseGiven]
) -> None:
    """Enters into the ledger the surveys that follow from answers; those that stand there already are left alone."""
    asking_again = [each for each in dossiers if each.survey.id in given]
    questionnaires = await _questionnaires(transaction, asking_again)
    askings: dict[Key, tuple[Dossier, Asking]] = {}
    for dossier in asking_again:
        asking = asked_again(dossier, answer_of(given[dossier.survey.id]), questionnaires[dossier.survey.id])
        if asking is not None:
            askings[Key(*asking.closing[:3])] = dossier, asking
    for key in await store.find_closures(transaction, {key[:2] for key in askings}) if askings else ():
        askings.pop(key, None)
    if not askings:
        return
    closings = [asking.closing for _, asking in askings.values()]
    register = await find_register(transaction, closings)
    people = await find_people(transaction, [dossier.rule for dossier, _ in askings.values()], closings, register)
    entries = []
    for dossier, (closing, items) in askings.values():
        decision = decide_by(dossier.rule, closing, people.person(closing), transaction.now)
        entries.append(enter(decision, closing, people, uuid7(), transaction.now, items=items))
    await record(transaction, entries)


async def _questionnaires(transaction: Transaction, dossiers: Sequence[Dossier]) -> dict[UUID, Questionnaire]:
    """What each of the surveys asks."""
    versions = {(each.rule.policy, each.rule.version) for each in dossiers}
    documents = await store.find_policies(transaction, versions) if versions else {}
    policies = {version: read_policy(document) for version, document in documents.items()}
    return {
        each.survey.id: policies[each.rule.policy, each.rule.version].questionnaires[each.rule.survey.questionnaire]
        for each in dossiers
    }
