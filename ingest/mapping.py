"""From an ITSM's own JSON to what it reports about a ticket: the mapping is data, a YAML file a system.

A file names JMESPath expressions (one, or several of which the first that finds something wins) for the parts of
`TicketReported`, the values that mean closed and open, and the payloads that say nothing about a state.
`docs/sources.md` describes the language; `mappings/` has the systems that are known.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Literal, NamedTuple, get_args

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ingest.expression import ExpressionError, Finder, compile_alternatives, compile_expression, is_true
from ingest.moment import MomentError, read_moment
from ingest.ticket import State
from services.contracts.tickets import Requester, TicketFacts, TicketReported

MOST_RECORDS = 100
MOST_TAGS = 50
LONGEST_FACT = 200
_CLOSED_BY = get_args(TicketFacts.__annotations__["closed_by"])

Texts = str | list[str]


class MappingError(ValueError):
    """A mapping file is wrong; the message names file and place."""


class UnmappableError(ValueError):
    """A payload reports a ticket, but something that is needed is missing or wrong. `field` names it."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail


class Reading(NamedTuple):
    """What a payload says: reports, or why it says nothing that matters."""

    reports: list[TicketReported]
    ignored: str | None = None
    delivery: str | None = None


class _Part(msgspec.Struct, forbid_unknown_fields=True):
    pass


class _Ignore(_Part):
    reason: str
    when: str


class _State(_Part):
    value: Texts
    closed: list[str | int] = []
    open: list[str | int] = []
    otherwise: State | None = None


class _Latest(_Part):
    latest: list[str]


class _Times(_Part):
    closed: Texts | _Latest
    open: Texts | _Latest


class _Translated(_Part):
    value: Texts
    map: dict[str | int, str] = {}
    otherwise: str | None = None


Fact = Texts | _Translated


class _Facts(_Part):
    type: Fact | None = None
    closed_by: Fact | None = None
    category: Fact | None = None
    priority: Fact | None = None
    customer: Fact | None = None
    group: Fact | None = None
    agent: Fact | None = None
    project: Fact | None = None
    region: Fact | None = None
    tags: Texts | None = None


class _Requester(_Part):
    id: Texts | None = None
    name: Texts | None = None
    email: Texts | None = None
    phone: Texts | None = None
    locale: Texts | None = None
    timezone: Texts | None = None
    customer: Texts | None = None
    staff: str | None = None


class _Document(_Part):
    title: str
    ticket: Texts
    state: list[_State]
    at: _Times
    records: Texts = "@"
    ignore: list[_Ignore] = []
    zone: Literal["told", "source"] = "told"
    delivery: Texts | None = None
    facts: _Facts = msgspec.field(default_factory=_Facts)
    requester: _Requester = msgspec.field(default_factory=_Requester)


_MomentFinder = Callable[[Any, tzinfo | None], datetime | None]


class _StateRule(NamedTuple):
    find: Finder
    states: dict[str, State]
    otherwise: State | None


class ItsmMapping:
    """One system's mapping, compiled. Make it with `parse_mapping`."""

    def __init__(self, document: _Document) -> None:
        self.title = document.title
        self._zoneless = document.zone == "source"
        self._ignore = [(rule.reason, compile_expression(rule.when)) for rule in document.ignore]
        self._records = compile_alternatives(_list(document.records))
        self._delivery = _text_finder(document.delivery) if document.delivery else None
        self._ticket = _text_finder(document.ticket)
        self._states = [_state_rule(rule) for rule in document.state]
        self._times: dict[State, _MomentFinder] = {
            "closed": _moment_finder(document.at.closed),
            "open": _moment_finder(document.at.open),
        }
        self._facts = _fact_finders(document.facts)
        self._tags = compile_alternatives(_list(document.facts.tags)) if document.facts.tags else None
        self._requester = _requester_finders(document.requester)
        self._staff = compile_expression(document.requester.staff) if document.requester.staff else None

    def read(self, payload: Any, source: str, zone: tzinfo) -> Reading:
        """What `payload` reports. `zone` is what the source's times without a zone are meant in.

        Raises `UnmappableError`.
        """
        for reason, when in self._ignore:
            if is_true(when(payload)):
                return Reading([], reason)
        found = self._records(payload)
        records = found if isinstance(found, list) else [found]
        if len(records) > MOST_RECORDS:
            raise UnmappableError("records", f"more than {MOST_RECORDS} tickets in one payload")
        reports = [report for record in records if (report := self._read_record(record, source, zone))]
        if not reports:
            return Reading([], "state")
        return Reading(reports, None, self._delivery(payload) if self._delivery else None)

    def _read_record(self, record: Any, source: str, zone: tzinfo) -> TicketReported | None:
        ticket = self._ticket(record)
        if ticket is None:
            raise UnmappableError("ticket", "the payload names no ticket")
        state = self._state(record)
        if state is None:
            return None
        requester = self._read_requester(record)
        return TicketReported(
            source=source,
            ticket=ticket,
            state=state,
            at=self._at(record, state, zone if self._zoneless else None),
            facts=self._read_facts(record) if state == "closed" else TicketFacts(),
            requester=requester,
            requester_id=requester.id if requester else None,
        )

    def _state(self, record: Any) -> State | None:
        seen = False
        for rule in self._states:
            value = rule.find(record)
            if value is None:
                continue
            seen = True
            state = rule.states.get(value.casefold(), rule.otherwise)
            if state is not None:
                return state
        if not seen:
            raise UnmappableError("state", "the payload tells no state")
        return None

    def _at(self, record: Any, state: State, zone: tzinfo | None) -> datetime:
        try:
            moment = self._times[state](record, zone)
        except MomentError as error:
            raise UnmappableError("at", str(error)) from None
        if moment is None:
            raise UnmappableError("at", f"the payload does not tell since when the ticket is {state}")
        return moment

    def _read_facts(self, record: Any) -> TicketFacts:
        facts: dict[str, Any] = {name: value for name, find in self._facts if (value := find(record)) is not None}
        tags = _texts(self._tags(record))[:MOST_TAGS] if self._tags else ()
        return TicketFacts(**facts, tags=tags)

    def _read_requester(self, record: Any) -> Requester | None:
        told = {name: value for name, find in self._requester if (value := find(record)) is not None}
        if not told:
            return None
        return Requester(**told, staff=self._staff is not None and is_true(self._staff(record)))


def parse_mapping(text: str, name: str) -> ItsmMapping:
    """The mapping in a YAML text; `name` is the file's, for errors. Raises `MappingError`."""
    try:
        document = YAML(typ="safe", pure=True).load(text)
        return ItsmMapping(msgspec.convert(document, _Document))
    except (YAMLError, msgspec.ValidationError, ExpressionError) as error:
        raise MappingError(f"{name}: {error}") from error


def _list(texts: Texts) -> list[str]:
    return [texts] if isinstance(texts, str) else texts


def _state_rule(rule: _State) -> _StateRule:
    states: dict[str, State] = {str(value).casefold(): "closed" for value in rule.closed}
    states.update({str(value).casefold(): "open" for value in rule.open})
    return _StateRule(_text_finder(rule.value), states, rule.otherwise)


def _text_finder(texts: Texts) -> Callable[[Any], str | None]:
    find = compile_alternatives(_list(texts))
    return lambda record: _text(find(record))


def _moment_finder(times: Texts | _Latest) -> _MomentFinder:
    if not isinstance(times, _Latest):
        find = compile_alternatives(_list(times))
        return lambda record, zone: None if (value := find(record)) is None else read_moment(value, zone)
    finders = [compile_alternatives([text]) for text in times.latest]

    def find_latest(record: Any, zone: tzinfo | None) -> datetime | None:
        told = [value for find in finders if (value := find(record)) is not None]
        return max((read_moment(value, zone) for value in told), default=None)

    return find_latest


def _fact_finders(facts: _Facts) -> list[tuple[str, Callable[[Any], str | None]]]:
    declared = {name: getattr(facts, name) for name in _Facts.__struct_fields__ if name != "tags"}
    finders = [(name, _fact_finder(fact)) for name, fact in declared.items() if fact is not None]
    closed_by = facts.closed_by
    if closed_by is not None and not _speaks_of_closers(closed_by):
        raise ExpressionError(f"facts.closed_by needs `map` and `otherwise` with values of {', '.join(_CLOSED_BY)}")
    return finders


def _speaks_of_closers(fact: Fact) -> bool:
    return isinstance(fact, _Translated) and all(value in _CLOSED_BY for value in (*fact.map.values(), fact.otherwise))


def _fact_finder(fact: Fact) -> Callable[[Any], str | None]:
    if not isinstance(fact, _Translated):
        find_text = _text_finder(fact)
        return lambda record: text[:LONGEST_FACT] if (text := find_text(record)) else None
    find = _text_finder(fact.value)
    words = {str(value).casefold(): word for value, word in fact.map.items()}
    otherwise = fact.otherwise

    def translate(record: Any) -> str | None:
        value = find(record)
        return otherwise if value is None else words.get(value.casefold(), otherwise or value[:LONGEST_FACT])

    return translate


def _requester_finders(requester: _Requester) -> list[tuple[str, Callable[[Any], str | None]]]:
    declared: Mapping[str, Texts | None] = {
        name: getattr(requester, name) for name in _Requester.__struct_fields__ if name != "staff"
    }
    return [(name, _text_finder(texts)) for name, texts in declared.items() if texts is not None]


def _text(value: Any) -> str | None:
    """A value as text; a list as its parts with spaces between; None for what has no text."""
    if type(value) is str:
        return value.strip(" ") or None
    if type(value) is int or type(value) is float:
        return str(value)
    if type(value) is list:
        return " ".join(_texts(value)) or None
    return None


def _texts(values: Any) -> tuple[str, ...]:
    listed: Sequence[Any] = values if isinstance(values, list) else [values]
    return tuple(text for value in listed if not isinstance(value, list) and (text := _text(value)) is not None)
