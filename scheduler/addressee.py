"""Who is asked about an event: the person served, or people of his customer where the policy names their roles."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from scheduler.audience import Customer, contact_of, means_person, reachable, segments_of
from scheduler.policy import TICKET, Closing, Rule, rule_for
from scheduler.sample import draw
from services.contracts.policy import Ask, ContactFilter, Issuer
from services.contracts.surveys import Respondent
from services.contracts.tickets import Contact


def turns_of(rules: Sequence[Rule], event: Closing, customer: Customer | None) -> list[Closing]:
    """The closings under which an event is kept: one, or one for each of the people who are asked about it.

    They count from the event's own number. About a ticket one person is asked: its closures count the closings.
    """
    rule = rule_for(rules, event, customer)
    people = _people(rule, event, customer) if rule is not None and customer is not None else []
    if event.on == TICKET:
        people = people[:1]
    if not people:
        return [event]
    return [event._replace(closure=event.closure + place, contact=contact) for place, contact in enumerate(people)]


def _people(rule: Rule, event: Closing, customer: Customer) -> list[Contact]:
    if not isinstance(rule.survey.ask, Ask) or rule.survey.ask.contacts is None:
        return []
    wanted: ContactFilter = rule.survey.ask.contacts
    channels = {step.channel for step in rule.steps if step.channel is not None}
    meant = [
        contact_of(each)
        for each in customer.contacts
        if not each.contact.staff and reachable(each, channels) and means_person(wanted, each, event.facts.project)
    ]
    drawn = sorted(meant, key=lambda each: (draw(rule.title, *event[:2], str(each.person)), each.person))
    return drawn[: rule.survey.ask.most]


def renumbered(turns: Sequence[Closing], known: Sequence[Closing]) -> list[Closing]:
    """The turns of an event with the numbers under which their people are known already; others get the next ones.

    A turn known without anybody to ask is the first new person's.
    """
    numbers = {each.contact.person: each.closure for each in known if each.contact is not None}
    free = [each.closure for each in known if each.contact is None]
    following = max((each.closure for each in known), default=0)
    renumbered = []
    for turn in turns:
        number = numbers.get(turn.contact.person) if turn.contact is not None else None
        if number is None and free:
            number = free.pop(0)
        if number is None and (turn.contact is not None or not known):
            number = following = following + 1
        if number is not None:
            renumbered.append(turn._replace(closure=number))
    return renumbered


def respondent_of(rule: Rule, customer: Customer | None, person: UUID, today: date) -> Respondent:
    """Who is asked, in the register's words of that day."""
    if customer is None:
        return Respondent()
    facts = customer.facts
    return Respondent(
        roles=next((each.roles for each in customer.contacts if each.contact.person == person), ()),
        kind=facts.kind,
        tier=facts.tier,
        size=facts.size,
        trade=facts.trade,
        grade=customer.grade or facts.grade,
        segments=segments_of(customer, today, rule.segments),
        served_by=facts.served_by,
    )


def owner_of(issuer: Issuer, customer: Customer | None, project: str | None) -> str | None:
    """Who of the issuers owes a call or visit, by his id: the project's manager, else the customer's owner.

    Where no project is named, it is the manager of the customer's latest one.
    """
    if customer is None or issuer not in ("project manager", "sales"):
        return None
    managed = [each for each in customer.facts.projects if each.manager and project in (None, each.id)]
    if issuer == "sales" or not managed:
        return customer.facts.owner
    return max(managed, key=lambda each: (each.started or date.min, each.id)).manager
