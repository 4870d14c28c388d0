"""What becomes of an answer: who is told, which case is opened, and what problems are called."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from services.contracts.language.conditions import When
from services.contracts.language.names import RoleName, Roles, Values, distinct
from services.contracts.part import Part
from services.contracts.quantities import SpanText
from services.contracts.questionnaire import Identifier, Words

OWNERS = ("department of the group", "department of the type", "owner of the customer", "owner of the project")
"""Owners of a case that follow from what it is about."""
FROM_TAXONOMY = "from taxonomy"
Named = Annotated[str, Field(pattern=r"^(from taxonomy|[a-z][a-z0-9_-]{0,62})$")]


class ProblemType(Part):
    """What kind of problem a customer speaks of."""

    id: Identifier
    """Its short name."""
    title: Words
    """What people call it."""
    department: RoleName | None = None
    """Which department owes the improvement; a name of `roles`."""
    words_zh: Values | None = None
    """Chinese words by which a comment is proposed for it; a person confirms."""
    words_en: Values | None = None
    """English words by which a comment is proposed for it; a person confirms."""


class ProblemLevel(Part):
    """How bad a problem is, by what it costs and by what it does; the list goes from the lightest to the worst."""

    id: Identifier
    """Its short name."""
    title: Words
    """What people call it."""
    cost_from: float | None = Field(default=None, ge=0)
    """From this cost on, in the company's currency."""
    effect: Words | None = None
    """What it does, in words by which a person judges."""


class ClaimKind(Part):
    """What a customer's claim is: a justified complaint, a demand, a suggestion."""

    id: Identifier
    """Its short name."""
    title: Words
    """What people call it."""
    justified: bool = True
    """Whether it counts as a complaint in the figures."""


def _known_once(parts: tuple[ProblemType | ProblemLevel | ClaimKind, ...]) -> tuple[object, ...]:
    distinct(tuple(part.id for part in parts))
    return parts


class Taxonomy(Part):
    """What problems are called: types, levels, and kinds of claims."""

    types: Annotated[tuple[ProblemType, ...], AfterValidator(_known_once)] = ()
    """Kinds of problems."""
    levels: Annotated[tuple[ProblemLevel, ...], AfterValidator(_known_once)] = ()
    """How bad, from the lightest to the worst."""
    claims: Annotated[tuple[ClaimKind, ...], AfterValidator(_known_once)] = ()
    """Kinds of claims."""


class Case(Part):
    """The improvement case that is opened: who owes it, by when which part, and who judges it.

    Times count from the opening of the case. Nobody verifies a case that he owns.
    """

    owner: RoleName
    """Who owes it: a role, or `department of the group` (of the ticket), `department of the type` (of the problem),
    `owner of the customer`, `owner of the project`."""
    type: Named = FROM_TAXONOMY
    """The problem's type: a person chooses from `taxonomy`, or always this one."""
    level: Named = FROM_TAXONOMY
    """The problem's level: a person chooses from `taxonomy`, or always this one."""
    call_back: SpanText | None = None
    """Until when the customer is called back."""
    analysis: SpanText | None = None
    """Until when the cause is found."""
    measures: SpanText | None = None
    """Until when corrective and preventive measures are decided."""
    done: SpanText | None = None
    """Until when they are carried out."""
    verify_by: RoleName = "quality assurance"
    """Who verifies them."""
    supervise_by: RoleName | None = None
    """Who watches over call-back, analysis and measures."""
    escalate_to: RoleName | None = None
    """Who decides what is beyond the owner's power: help, or an explanation to the customer."""
    effect: Literal["next survey", "verifier"] = "next survey"
    """Who judges whether it helped: the customer in the next survey, or the verifier."""


class FollowUp(Part):
    """What is done with certain answers. The first rule whose condition holds opens the case; all of them alert."""

    surveys: Annotated[tuple[Identifier, ...], Field(min_length=1), AfterValidator(distinct)] | None = None
    """Of which surveys; without it of all."""
    when: When
    """Which answers."""
    alert: Roles | None = None
    """Who is told at once."""
    case: Case | None = None
    """The case that is opened."""
    tell_customer: Literal["when verified", "when closed", "never"] = "when verified"
    """When the customer is told what became of it."""
    public_from: int | None = Field(default=None, ge=2)
    """From so many customers with the same type of problem on it is answered publicly, below one to one."""
