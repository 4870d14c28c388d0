"""Which tickets, customers and contacts a rule means: fields and values, nothing to program.

Every named field must have one of its values, and what stands under `not` must not apply. Letters compare without
regard to case; where a field holds several values (tags, segments, projects, roles), one in common is enough.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from services.contracts.language.names import Values, distinct
from services.contracts.language.timing import BackText
from services.contracts.part import Part, wrong
from services.contracts.questionnaire import Locale
from services.contracts.tickets import Channel

ClosedBy = Literal["agent", "customer", "auto", "merged", "spam", "bot"]
CustomerKind = Literal["organisation", "consumer"]


class Where(Part):
    """Which tickets: every named field has one of its values, and what stands under `not` does not apply.

    Letters compare without regard to case. For `tags`, one common tag is enough. For an occasion the same fields
    count; its `type` is the kind of the occasion.
    """

    type: Values | None = None
    """Type of ticket, like incident or request; for an occasion its kind."""
    closed_by: Annotated[tuple[ClosedBy, ...], Field(min_length=1), AfterValidator(distinct)] | None = None
    """By whom or what the ticket was closed."""
    category: Values | None = None
    """Category in the ITSM system."""
    priority: Values | None = None
    """Priority in the ITSM system."""
    customer: Values | None = None
    """Customer, by its id."""
    group: Values | None = None
    """Group that the ticket was assigned to at its closing."""
    agent: Values | None = None
    """Agent who had it at its closing."""
    project: Values | None = None
    """Project, by its id."""
    region: Values | None = None
    """Region."""
    tags: Values | None = None
    """Tags of the ticket."""
    not_: "Where | None" = Field(default=None, validation_alias="not", serialization_alias="not")
    """What must not apply: the same fields again."""


class CustomerFilter(Part):
    """Which customers of the register."""

    kind: Annotated[tuple[CustomerKind, ...], Field(min_length=1), AfterValidator(distinct)] | None = None
    """Organisations (B2B) or consumers (B2C)."""
    customer: Values | None = None
    """Customers by their ids."""
    tier: Values | None = None
    """How important the customer is, in the company's words: core, important, ordinary."""
    size: Values | None = None
    """Size of the customer: large, medium, small."""
    trade: Values | None = None
    """Line of business."""
    region: Values | None = None
    """Region."""
    segment: Values | None = None
    """Segments: those that the policy defines under `segments`, and those that the register tells."""
    grade: Values | None = None
    """Grade by the policy's `grading`: A, B, C, D."""
    project: Values | None = None
    """Projects by their ids."""
    served_by: Values | None = None
    """Which organisation serves the customer, where several do (a park, an industry, a group of companies)."""
    active_within: BackText | None = None
    """Has bought or used something since then: `6 months`."""
    new_within: BackText | None = None
    """Became a customer since then."""
    customer_for: BackText | None = None
    """Has been a customer for at least as long: `3 years`."""
    complained_within: BackText | None = None
    """Has complained since then: `this year`."""
    not_: "CustomerFilter | None" = Field(default=None, validation_alias="not", serialization_alias="not")
    """What must not apply: the same fields again."""


class ContactFilter(Part):
    """Which people of a customer. Whatever stands here, nobody is reached by a channel that he did not consent to."""

    role: Values | None = None
    """What the person does at the customer's: leader, administrator, user, key person."""
    locale: Annotated[tuple[Locale, ...], Field(min_length=1), AfterValidator(distinct)] | None = None
    """The person's language."""
    consent: Annotated[tuple[Channel, ...], Field(min_length=1), AfterValidator(distinct)] | None = None
    """Has agreed to be reached by at least one of these."""
    not_: "ContactFilter | None" = Field(default=None, validation_alias="not", serialization_alias="not")
    """What must not apply: the same fields again."""


class Ask(Part):
    """Who is asked, out of the customer register.

    On a ticket or an occasion it narrows: the event's customer must be one of `customers`, and with `contacts` those
    people of the customer are asked instead of the requester (those of its project, where the event names one); where
    nobody of them is known, the event's own person is asked all the same.
    """

    customers: CustomerFilter = CustomerFilter()
    """Which customers."""
    contacts: ContactFilter | None = None
    """Which of their people; without it everybody who can be reached, on a ticket the requester."""
    per: Literal["customer", "project"] = "customer"
    """What is counted, drawn and reported as one: a customer, or each of its projects with its own people."""
    most: int | None = Field(default=None, ge=1, le=1000)
    """At most so many people for each of them, drawn by lot; without it all."""

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.contacts is not None and self.contacts.not_ == ContactFilter():
            raise wrong("an empty `not` leaves nobody", "Name what must not apply, or remove `not`", at=("contacts",))
        return self
