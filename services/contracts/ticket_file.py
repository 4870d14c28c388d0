"""Past tickets and occasions from a table: one row a closing, or the log of an ITSM with one row a change."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Any, NamedTuple

from msgspec.structs import replace

from services.contracts.customers import LONGEST_KIND, OWN_KINDS, read_kind
from services.contracts.sheet import Columns, Finding, Row, SheetError, fold, open_sheet, read_time
from services.contracts.tickets import Requester, TicketFacts

LONGEST_NAME = 200
"""Of a ticket, in characters."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "ticket": ("工单", "工单号", "工单编号", "ticket id", "number"),
    "closed_at": ("关闭时间", "解决时间", "closed", "resolved_at"),
    "opened_at": ("创建时间", "打开时间", "opened", "created_at"),
    "occasion": ("事由", "kind"),
    "type": ("类型", "工单类型"),
    "closed_by": ("关闭方式",),
    "category": ("类别", "分类"),
    "priority": ("优先级",),
    "customer": ("客户", "客户编号", "company"),
    "group": ("处理组", "服务组", "assignment_group"),
    "agent": ("处理人", "工程师", "assigned_to"),
    "project": ("项目", "项目编号"),
    "region": ("地区", "区域", "location"),
    "tags": ("标签",),
    "person": ("联系人编号", "报障人", "requester", "caller_id"),
    "name": ("姓名", "联系人"),
    "email": ("邮箱", "电子邮箱", "e-mail"),
    "phone": ("电话", "手机", "手机号"),
    "locale": ("语言", "language"),
}
"""The columns of a table with one row a closing. `closed_at` is empty where the ticket is open.

A row with an `occasion` (its kind: project accepted, repair done, …) tells of that and not of a ticket: `ticket` is its
id among those of its kind, `closed_at` when it happened.
"""
TICKET_CLOSED = "ticket closed"
"""The reason to ask that is no occasion."""

LOG_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "number": (),
    "incident_state": ("state",),
    "sys_updated_at": ("sys_updated_on",),
    "sys_mod_count": (),
    "category": (),
    "priority": (),
    "company": (),
    "assignment_group": (),
    "assigned_to": (),
    "resolved_by": (),
    "location": (),
    "caller_id": (),
}
"""What is read of ServiceNow's log of incidents: one row a change, with the time and the number of the change."""

_LOG = ("number", "incident_state", "sys_updated_at", "sys_mod_count")
_ENDED = frozenset({"resolved", "closed", "6", "7", "已解决", "已关闭"})
_UNKNOWN = "?"
_CLOSED_BY: Mapping[str, tuple[str, ...]] = {
    "agent": ("", "工程师", "人工"),
    "customer": ("客户", "用户"),
    "auto": ("自动", "系统"),
    "merged": ("合并",),
    "spam": ("垃圾",),
    "bot": ("机器人",),
}
_CLOSED_BY_WORD = {word: name for name, words in _CLOSED_BY.items() for word in (name, *words)}
_NO_FACTS = TicketFacts()
_SEPARATORS = str.maketrans(",，、；|", ";;;;;")
_TIME_REMEDY = "Write it like 2026-03-02 10:15, or day first like 2/3/2026 10:15"


class Closing(NamedTuple):
    """One closing of a ticket, until it is opened again, or an occasion; `line` is where it stands in the file.

    `closure` counts from 1 in the order of the times (UTC). `requester` is the person, in clear. `on` is the kind of
    the occasion, which `facts.type` is then too.
    """

    ticket: str
    closure: int
    closed_at: datetime
    reopened_at: datetime | None
    facts: TicketFacts
    requester: Requester | None
    line: int
    on: str = TICKET_CLOSED

    @property
    def person(self) -> str | None:
        """Who was served, by whatever tells him from others."""
        who = self.requester
        return (who.id or who.email or who.phone) if who else None


class TicketFile(NamedTuple):
    """What stands in a file: its closings, and every row that is refused. `left_open` tickets have no closing.

    `unknown` are the headers of which nothing was read, `headers` how the file calls the columns.
    """

    closings: tuple[Closing, ...] = ()
    findings: tuple[Finding, ...] = ()
    left_open: int = 0
    unknown: tuple[str, ...] = ()
    headers: Mapping[str, str] = MappingProxyType({})


class _Move(NamedTuple):
    """A ticket was opened or closed. Of both at one instant the opening comes first."""

    at: datetime
    closed: bool
    line: int
    facts: TicketFacts
    requester: Requester | None


_Key = tuple[str, str]
"""A ticket or occasion: on what it asks, and its name."""

_Told = Sequence[tuple[_Key, _Move]]
"""The moves of a row."""


class _Refused(ValueError):
    """A cell that cannot be read."""

    def __init__(self, column: str, what: str, remedy: str) -> None:
        super().__init__(what)
        self.column, self.what, self.remedy = column, what, remedy


def read_tickets(data: bytes, zone: tzinfo) -> TicketFile:
    """The closings in a file; `zone` is what times without an offset are meant in.

    A log of ServiceNow is known by its header. Whatever is wrong is a finding; nothing is raised.
    """
    try:
        sheet = open_sheet(data)
        headers = {fold(header) for header in sheet.header}
        is_log = all(headers & {name, *LOG_COLUMNS[name]} for name in _LOG)
        columns = sheet.locate(LOG_COLUMNS, _LOG) if is_log else sheet.locate(COLUMNS, ("ticket", "closed_at"))
    except SheetError as error:
        return TicketFile(findings=(error.finding,))
    moves, findings = _collect(sheet.rows(columns), columns, _read_change if is_log else _read_closing, zone)
    folded = [_fold(key, every) for key, every in moves.items()]
    closings = tuple(closing for every in folded for closing in every)
    unknown = () if is_log else columns.unknown
    return TicketFile(closings, tuple(findings), folded.count([]), unknown, columns.headers)


def _collect(
    rows: Iterable[Row | Finding], columns: Columns, read: Callable[[Row, tzinfo], _Told], zone: tzinfo
) -> tuple[dict[_Key, list[_Move]], list[Finding]]:
    moves: dict[_Key, list[_Move]] = {}
    findings = []
    for row in rows:
        if isinstance(row, Finding):
            findings.append(row)
            continue
        try:
            for key, move in read(row, zone):
                moves.setdefault(key, []).append(move)
        except _Refused as wrong:
            header = columns.headers.get(wrong.column, wrong.column)
            findings.append(Finding(row.line, header, wrong.what, wrong.remedy))
    return moves, findings


def _fold(key: _Key, moves: Iterable[_Move]) -> list[Closing]:
    """The closings of a ticket: each from the first closing to the next opening, as the service counts them."""
    on, ticket = key
    closings: list[Closing] = []
    known: Requester | None = None
    is_closed = False
    for at, closed, line, facts, requester in sorted(moves, key=lambda move: move[:3]):
        if closed and not is_closed:
            closings.append(Closing(ticket, len(closings) + 1, at, None, facts, requester or known, line, on))
        elif closed:
            closings[-1] = closings[-1]._replace(requester=closings[-1].requester or requester)
        elif is_closed:
            closings[-1] = closings[-1]._replace(reopened_at=at)
        is_closed, known = closed, requester or known
    return closings


def _read_closing(row: Row, zone: tzinfo) -> _Told:
    """A row of the plain table: a ticket was opened, if it says when, and closed, if it was."""
    cells = row.cells
    ticket, on = _ticket(cells, "ticket"), _on(cells)
    closed_at, opened_at = _time(cells, "closed_at", zone), _time(cells, "opened_at", zone)
    if closed_at is None and (opened_at is None or on != TICKET_CLOSED):
        raise _Refused("closed_at", "empty: nothing tells when that was", _TIME_REMEDY)
    if closed_at and opened_at and opened_at > closed_at:
        raise _Refused(
            "closed_at", f"closed before it was opened ({cells['opened_at']})", "Correct one of the two times"
        )
    facts, requester = _facts(cells), _requester(cells)
    if on != TICKET_CLOSED:
        facts, opened_at = replace(facts, type=on), None
    told = [(at, closed) for at, closed in ((opened_at, False), (closed_at, True)) if at]
    return [((on, ticket), _Move(at, closed, row.line, facts, requester)) for at, closed in told]


def _on(cells: Mapping[str, str]) -> str:
    written = cells.get("occasion", "")
    kind = read_kind(written) if written else TICKET_CLOSED
    if kind is None or kind in OWN_KINDS - {TICKET_CLOSED}:
        raise _Refused("occasion", "no kind of an occasion", f"Use up to {LONGEST_KIND} characters, like: repair done")
    return kind


def _read_change(row: Row, zone: tzinfo) -> _Told:
    """A row of the log. Its minutes hold several changes; their numbers, as milliseconds, keep the order."""
    cells = {name: "" if cell == _UNKNOWN else cell for name, cell in row.cells.items()}
    ticket = _ticket(cells, "number")
    updated_at = _time(cells, "sys_updated_at", zone)
    if updated_at is None:
        raise _Refused("sys_updated_at", "empty, though every change has its time", _TIME_REMEDY)
    count = cells["sys_mod_count"]
    if not (count.isascii() and count.isdigit() and len(count) < 6):
        raise _Refused(
            "sys_mod_count", f"{count!r} is no number of a change", "Give the number that ServiceNow exports"
        )
    closed = cells["incident_state"].casefold() in _ENDED
    # A log is long, and only its closings are looked at.
    facts = _log_facts(cells) if closed else _NO_FACTS
    requester = Requester(id=cells["caller_id"]) if cells.get("caller_id") else None
    return [
        (
            (TICKET_CLOSED, ticket),
            _Move(updated_at + timedelta(milliseconds=int(count)), closed, row.line, facts, requester),
        )
    ]


def _log_facts(cells: Mapping[str, str]) -> TicketFacts:
    return TicketFacts(
        category=cells.get("category") or None,
        priority=cells.get("priority") or None,
        customer=cells.get("company") or None,
        group=cells.get("assignment_group") or None,
        agent=cells.get("assigned_to") or cells.get("resolved_by") or None,
        region=cells.get("location") or None,
    )


def _facts(cells: Mapping[str, str]) -> TicketFacts:
    written = cells.get("closed_by", "")
    closed_by: Any = _CLOSED_BY_WORD.get(written.casefold())
    if closed_by is None:
        raise _Refused("closed_by", f"{written!r} is unknown", "Write agent, customer, auto, merged, spam or bot")
    tags = cells.get("tags", "").translate(_SEPARATORS).split(";")
    names = ("type", "category", "priority", "customer", "group", "agent", "project", "region")
    texts: Any = {name: cells[name] for name in names if cells.get(name)}
    return TicketFacts(closed_by=closed_by, tags=tuple(filter(None, (tag.strip() for tag in tags))), **texts)


def _requester(cells: Mapping[str, str]) -> Requester | None:
    names = ("person", "name", "email", "phone", "locale")
    person, name, email, phone, locale = (cells.get(each) or None for each in names)
    if not (person or email or phone):
        return None
    return Requester(id=person, name=name, email=email, phone=phone, locale=locale)


def _ticket(cells: Mapping[str, str], column: str) -> str:
    name = cells[column]
    if not name:
        raise _Refused(column, "empty", "Give the ticket's number")
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise _Refused(column, "no name of a ticket", f"Use up to {LONGEST_NAME} characters, none a control character")
    return name


def _time(cells: Mapping[str, str], column: str, zone: tzinfo) -> datetime | None:
    text = cells.get(column, "")
    if not text:
        return None
    try:
        return read_time(text, zone)
    except ValueError as error:
        raise _Refused(column, f"{text[:40]!r} is no time ({error})", _TIME_REMEDY) from None
