"""Whether the names in a policy lead somewhere: questionnaires, items, roles, dimensions, grades, problem types."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from services.contracts.language.asking import Plans, Survey
from services.contracts.language.calendar import Limits
from services.contracts.language.conditions import When
from services.contracts.language.filters import Ask, CustomerFilter
from services.contracts.language.follow_up import FROM_TAXONOMY, OWNERS, FollowUp, Taxonomy
from services.contracts.language.grading import Grading
from services.contracts.language.reporting import Report, Supervision
from services.contracts.language.scores import Dimension, Scores
from services.contracts.part import Fault
from services.contracts.questionnaire import Item, Questionnaire

Path = tuple[str | int, ...]


class Chapters(NamedTuple):
    """The chapters of a policy that name each other; `roles` are all that it knows."""

    questionnaires: Mapping[str, Questionnaire]
    surveys: Mapping[str, Survey]
    plans: Plans
    scores: Scores
    dimensions: Mapping[str, Dimension]
    limits: Limits
    follow_up: tuple[FollowUp, ...]
    taxonomy: Taxonomy
    reports: Mapping[str, Report]
    supervision: Supervision | None
    grading: Grading | None
    roles: frozenset[str]


def faults(chapters: Chapters) -> Iterator[Fault]:
    """Everything in a policy that names what is not there."""
    missing = tuple(_missing_questionnaires(chapters))
    yield from missing
    yield from _questionnaire_faults(chapters)
    if not missing:
        yield from _survey_faults(chapters)
        yield from _follow_up_faults(chapters)
    yield from _role_faults(chapters)
    yield from _report_faults(chapters)
    yield from _grade_faults(chapters)


def _unknown(what: str, name: str, known: Iterable[str], at: Path) -> Iterator[Fault]:
    names = sorted(known)
    if name not in names:
        yield Fault(f"{what} {name!r} does not exist", f"Name one of: {', '.join(names) or 'none yet'}", at)


def _missing_questionnaires(chapters: Chapters) -> Iterator[Fault]:
    for name, survey in chapters.surveys.items():
        if survey.questionnaire not in chapters.questionnaires:
            yield Fault(
                f"survey {name!r} asks the questionnaire {survey.questionnaire!r}, which does not exist",
                f"Write it under `questionnaires`, or name one of {sorted(chapters.questionnaires)}",
                ("surveys", name, "questionnaire"),
            )


def leaves(dimensions: Mapping[str, Dimension]) -> Iterator[str]:
    """The dimensions at the foot of the tree, which items name."""
    for name, dimension in dimensions.items():
        if dimension.under:
            yield from leaves(dimension.under)
        else:
            yield name


def _nodes(dimensions: Mapping[str, Dimension], path: Path) -> Iterator[tuple[str, Path]]:
    for name, dimension in dimensions.items():
        yield name, (*path, name)
        yield from _nodes(dimension.under, (*path, name, "under"))


def _questionnaire_faults(chapters: Chapters) -> Iterator[Fault]:
    seen: set[str] = set()
    for name, path in _nodes(chapters.dimensions, ("dimensions",)):
        if name in seen:
            yield Fault(f"the dimension {name!r} stands twice in the tree", "Give each its own name", path)
        seen.add(name)
    known = set(leaves(chapters.dimensions))
    for name, questionnaire in chapters.questionnaires.items():
        items = ("questionnaires", name, "items")
        if len(questionnaire.items) > chapters.limits.questions:
            most = f"at most {chapters.limits.questions} (limits.questions)"
            yield Fault(f"{len(questionnaire.items)} items, {most}", "Ask less, or raise the limit", items)
        for number, item in enumerate(questionnaire.items):
            if known and item.dimension is not None:
                yield from _unknown("the dimension", item.dimension, known, (*items, number, "dimension"))


def _survey_faults(chapters: Chapters) -> Iterator[Fault]:
    for name, survey in chapters.surveys.items():
        at: Path = ("surveys", name)
        items = {item.id: item for item in chapters.questionnaires[survey.questionnaire].items}
        if survey.again is not None:
            yield from _condition_faults(survey.again.when, items, (*at, "again", "when"))
        own = survey.scores
        scores, place = (own.completed_by(chapters.scores), (*at, "scores")) if own else (chapters.scores, ("scores",))
        yield from _method_faults(scores, items, survey.questionnaire, place)


def _method_faults(scores: Scores, items: Mapping[str, Item], asked: str, at: Path) -> Iterator[Fault]:
    scaled = {name: item.scale for name, item in items.items() if item.scale is not None}
    if scores.item is not None:
        yield from _unknown(f"the item of questionnaire {asked!r}", scores.item, scaled, (*at, "item"))
        if scores.item not in scaled:
            return
        scaled = {scores.item: scaled[scores.item]}
    needed = {"nps": {"nps"}, "ces": {"ces"}, "option-total": {"likert5", "faces", "stars"}}.get(scores.method)
    if needed and not needed & set(scaled.values()):
        yield Fault(
            f"the method {scores.method!r} finds no item to work on in the questionnaire {asked!r}",
            f"Give an item the scale {' or '.join(sorted(needed))}, or choose another method",
            (*at, "method"),
        )


def _condition_faults(when: When, items: Mapping[str, Item], at: Path) -> Iterator[Fault]:
    for name, values in (when.answers or {}).items():
        yield from _unknown("the item", name, items, (*at, "answers", name))
        if name in items and items[name].kind == "text":
            written = f"what customers write to {name!r} is no condition"
            yield Fault(written, "Write comment: present, or name a closed item", (*at, "answers", name))
        possible = (items[name].possible if name in items else None) or frozenset(values)
        for value in values:
            if value not in possible:
                known = ", ".join(sorted(map(str, possible)))
                yield Fault(f"nobody can answer {value!r} to {name!r}", f"Possible are {known}", (*at, "answers", name))
    if when.or_ is not None:
        yield from _condition_faults(when.or_, items, (*at, "or"))


def _follow_up_faults(chapters: Chapters) -> Iterator[Fault]:
    types = {each.id for each in chapters.taxonomy.types} | {FROM_TAXONOMY}
    levels = {each.id for each in chapters.taxonomy.levels} | {FROM_TAXONOMY}
    for number, rule in enumerate(chapters.follow_up):
        at: Path = ("follow_up", number)
        for place, name in enumerate(rule.surveys or ()):
            yield from _unknown("the survey", name, chapters.surveys, (*at, "surveys", place))
        meant = [chapters.surveys[name] for name in rule.surveys or chapters.surveys if name in chapters.surveys]
        items = {item.id: item for survey in meant for item in chapters.questionnaires[survey.questionnaire].items}
        yield from _condition_faults(rule.when, items, (*at, "when"))
        if rule.case is not None:
            yield from _unknown("the problem type", rule.case.type, types, (*at, "case", "type"))
            yield from _unknown("the problem level", rule.case.level, levels, (*at, "case", "level"))


def _role_faults(chapters: Chapters) -> Iterator[Fault]:
    for name, at in _roles_named(chapters):
        known = chapters.roles | set(OWNERS) if at[-1] == "owner" else chapters.roles
        if name not in known:
            yield Fault(f"nobody is called {name!r}", f"Declare it under `roles`, or name one of {sorted(known)}", at)


def _roles_named(chapters: Chapters) -> Iterator[tuple[str, Path]]:
    if chapters.plans.approve is not None:
        yield chapters.plans.approve, ("plans", "approve")
    for number, rule in enumerate(chapters.follow_up):
        at: Path = ("follow_up", number)
        yield from ((name, (*at, "alert", place)) for place, name in enumerate(rule.alert or ()))
        for key in ("owner", "verify_by", "supervise_by", "escalate_to") if rule.case else ():
            if (name := getattr(rule.case, key)) is not None:
                yield name, (*at, "case", key)
    for number, each in enumerate(chapters.taxonomy.types):
        if each.department is not None:
            yield each.department, ("taxonomy", "types", number, "department")
    for report, said in chapters.reports.items():
        for key in ("review", "approve", "send"):
            yield from ((name, ("reports", report, key, place)) for place, name in enumerate(getattr(said, key)))
    if chapters.supervision is not None:
        yield from ((name, ("supervision", "by", place)) for place, name in enumerate(chapters.supervision.by))
        if chapters.supervision.spot_check is not None:
            yield chapters.supervision.spot_check.by, ("supervision", "spot_check", "by")


def _report_faults(chapters: Chapters) -> Iterator[Fault]:
    for name, report in chapters.reports.items():
        for place, survey in enumerate(report.surveys or ()):
            yield from _unknown("the survey", survey, chapters.surveys, ("reports", name, "surveys", place))
        if set(report.review) & set(report.approve):
            yield Fault(
                f"{min(set(report.review) & set(report.approve))!r} approves what he reviews himself",
                "Let others approve: it takes two people",
                ("reports", name, "approve"),
            )


def _grade_faults(chapters: Chapters) -> Iterator[Fault]:
    if chapters.grading is None:
        return
    known = {grade.grade for grade in chapters.grading.grades}
    for name, survey in chapters.surveys.items():
        if isinstance(survey.ask, Ask):
            for grade, path in _grades_named(survey.ask.customers, ("surveys", name, "ask", "customers")):
                yield from _unknown("the grade", grade, known, path)


def _grades_named(customers: CustomerFilter, at: Path) -> Iterator[tuple[str, Path]]:
    yield from ((grade.upper(), (*at, "grade", place)) for place, grade in enumerate(customers.grade or ()))
    if customers.not_ is not None:
        yield from _grades_named(customers.not_, (*at, "not"))
