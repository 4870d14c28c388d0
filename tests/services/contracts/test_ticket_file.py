"""Past tickets from a file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.ticket import Move, fold
from services.contracts.ticket_file import Closing, TicketFile, read_tickets
from services.contracts.tickets import Requester, TicketFacts
from tests.replay import log

SHANGHAI = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 3, 2, tzinfo=UTC)


def read(text: str) -> TicketFile:
    return read_tickets(text.encode(), SHANGHAI)


def test_a_row_with_everything() -> None:
    found = read(
        "ticket,opened_at,closed_at,type,closed_by,category,priority,customer,group,agent,project,region,tags,"
        "person,name,email,phone,locale\n"
        "T-1,2026-03-02 09:00,2026-03-02 10:15,request,客户,network,2,C-1,Desk,a-1,P-1,north,vpn; 网络、office,"
        "u-1,王芳,fang@example.cn,13800138000,zh-CN\n"
    )
    facts = TicketFacts(
        type="request",
        closed_by="customer",
        category="network",
        priority="2",
        customer="C-1",
        group="Desk",
        agent="a-1",
        project="P-1",
        region="north",
        tags=("vpn", "网络", "office"),
    )
    requester = Requester(id="u-1", name="王芳", email="fang@example.cn", phone="13800138000", locale="zh-CN")
    closed_at = datetime(2026, 3, 2, 2, 15, tzinfo=UTC)
    assert found.closings == (Closing("T-1", 1, closed_at, None, facts, requester, 2),)
    assert found[1:4] == ((), 0, ())
    assert found.closings[0].person == "u-1"


def test_chinese_headers_and_day_first() -> None:
    found = read("工单号;关闭时间;客户;邮箱\nT-1;2/3/2026 10:15;示例;fang@example.cn\n")
    (closing,) = found.closings
    assert found.headers["email"] == "邮箱"
    assert (closing.ticket, closing.facts.customer, closing.person) == ("T-1", "示例", "fang@example.cn")
    assert closing.closed_at == datetime(2026, 3, 2, 2, 15, tzinfo=UTC)


def test_a_ticket_that_was_opened_again_has_a_closing_for_each_time() -> None:
    found = read(
        "ticket,opened_at,closed_at\n"
        "T-1,2026-03-03 09:00,2026-03-03 10:00\n"
        "T-1,2026-03-02 09:00,2026-03-02 10:00\n"
        "T-1,,2026-03-02 11:00\n"
        "T-2,2026-03-02 09:00,\n"
    )
    first, second = found.closings
    assert (first.closure, first.line, second.closure, second.line) == (1, 3, 2, 2)
    assert first.reopened_at == datetime(2026, 3, 3, 1, tzinfo=UTC)
    assert second.reopened_at is None
    assert found.left_open == 1
    assert found.findings == ()


def test_every_row_that_is_refused_is_named_and_so_are_headers_without_use() -> None:
    found = read(
        "Ticket,Opened At,关闭时间,closed_by,colour\n"
        ",,2026-03-02 10:00,,red\n"
        "T-2,,,,\n"
        "T-3,,13/13/2026 10:00,,\n"
        "T-4,2026-03-03 10:00,2026-03-02 10:00,,\n"
        "T-5,,2026-03-02 10:00,alien,\n"
        "T-6,,2026-03-02 10:00\n"
        f"{'x' * 201},,2026-03-02 10:00,,\n"
    )
    assert [(each.line, each.column) for each in found.findings] == [
        (2, "Ticket"),
        (3, "关闭时间"),
        (4, "关闭时间"),
        (5, "关闭时间"),
        (6, "closed_by"),
        (7, None),
        (8, "Ticket"),
    ]
    assert all(each.what and each.remedy for each in found.findings)
    assert found.unknown == ("colour",)


def test_occasions_stand_among_tickets() -> None:
    found = read(
        "ticket,occasion,opened_at,closed_at,type\n"
        "P-7, Project  Accepted ,,2026-03-02 10:00,x\n"
        "P-7,project accepted,2026-03-01 08:00,2026-03-02 09:00,\n"
        "P-7,repair done,,2026-03-02 10:00,\n"
        "P-7,,,2026-03-02 11:00,request\n"
        "P-8,ticket closed,2026-03-02 11:00,,\n"
        "P-8,repair done,2026-03-02 11:00,,\n"
        f"P-9,{'x' * 101},,2026-03-02 11:00,\n"
    )
    assert [(each.on, each.ticket, each.closure, each.facts.type, each.line) for each in found.closings] == [
        ("project accepted", "P-7", 1, "project accepted", 3),
        ("repair done", "P-7", 1, "repair done", 4),
        ("ticket closed", "P-7", 1, "request", 5),
    ]
    assert [(each.line, each.column) for each in found.findings] == [(7, "closed_at"), (8, "occasion")]
    assert found.left_open == 1


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"ticket,state\nT-1,closed\n", b"closed_at\n2026-03-02\n"])
def test_a_file_without_tickets_is_one_finding(data: bytes) -> None:
    found = read_tickets(data, UTC)
    assert found.closings == ()
    assert len(found.findings) == 1


LOG = (
    "number,incident_state,sys_mod_count,sys_updated_at,resolved_at,closed_at,assignment_group,assigned_to,"
    "resolved_by,caller_id,location,category,priority\n"
)


def test_the_log_of_servicenow() -> None:
    tail = "5/3/2016 11:29,5/3/2016 12:00,Group 1,?,Solver 1,Caller 1,Location 1,Category 1,3 - Moderate"
    found = read(
        LOG
        + f"INC1,Closed,5,2/3/2016 12:00,{tail}\n"
        + f"INC1,New,0,1/3/2016 09:00,{tail}\n"
        + f"INC1,Resolved,2,1/3/2016 09:30,{tail}\n"
        + f"INC1,Active,3,1/3/2016 09:30,{tail}\n"
        + f"INC2,-100,0,1/3/2016 09:30,{tail}\n"
    )
    first, second = found.closings
    minute = datetime(2016, 3, 1, 1, 30, tzinfo=UTC)
    assert (first.closed_at, first.reopened_at) == (
        minute + timedelta(milliseconds=2),
        minute + timedelta(milliseconds=3),
    )
    assert (second.closure, second.reopened_at, second.person) == (2, None, "Caller 1")
    assert second.facts.agent == "Solver 1"
    assert (found.left_open, found.findings, found.unknown) == (1, (), ())


def test_faults_of_a_log_are_named_too() -> None:
    tail = "?,?,?,?,?,?,?,?,?\n"
    found = read(LOG + f"INC1,Closed,x,2/3/2016 12:00,{tail}INC2,Closed,1,?,{tail}?,Closed,1,2/3/2016 12:00,{tail}")
    assert [(each.line, each.column) for each in found.findings] == [
        (2, "sys_mod_count"),
        (3, "sys_updated_at"),
        (4, "number"),
    ]


def test_the_real_log_gives_what_is_counted_in_another_way(shared: Path) -> None:
    path = shared / "data" / "uci_incident_event_log.csv.gz"
    found = read_tickets(path.read_bytes(), UTC)
    counted = {
        (each.incident, each.number, each.at, each.reopened_at)
        for rows in log.read(path).values()
        for each in log.closures(rows)
    }
    assert found.findings == ()
    assert {closing[:4] for closing in found.closings} == counted
    assert len(found.closings) == len(counted)


ROWS = st.lists(
    st.tuples(st.none() | st.integers(0, 5), st.none() | st.integers(0, 5)).filter(
        lambda row: row != (None, None) and not (row[0] is not None and row[1] is not None and row[0] > row[1])
    ),
    min_size=1,
    max_size=6,
)


@given(ROWS, st.randoms(use_true_random=False))
def test_closings_are_those_that_the_service_would_count(
    rows: list[tuple[int | None, int | None]], random: "st.DrawFn"
) -> None:
    def text(hours: int | None) -> str:
        return "" if hours is None else (START + timedelta(hours=hours)).isoformat()

    lines = [f"T,{text(opened)},{text(closed)}\n" for opened, closed in rows]
    found = read("ticket,opened_at,closed_at\n" + "".join(lines))
    moves = {(at, state) for row in rows for at, state in zip(row, ("open", "closed"), strict=True) if at is not None}
    counted = fold([Move(at=START + timedelta(hours=at), state=state) for at, state in moves])  # type: ignore[arg-type]
    assert [closing[1:4] for closing in found.closings] == [(c.number, c.closed_at, c.reopened_at) for c in counted]
    random.shuffle(lines)  # type: ignore[attr-defined]
    again = read("ticket,opened_at,closed_at\n" + "".join(lines))
    assert [closing[:4] for closing in again.closings] == [closing[:4] for closing in found.closings]


CELL = st.one_of(
    st.sampled_from(
        ["", "T-1", "2026-03-02 10:00", "2/3/2026", "closed", "?", '"', "repair done", "agent", "1e9", "\u3000"]
    ),
    st.text(max_size=6),
)


@given(st.lists(st.lists(CELL, max_size=6), max_size=6), st.booleans())
def test_whatever_stands_in_a_table_every_row_is_read_or_named(rows: list[list[str]], as_log: bool) -> None:
    header = LOG if as_log else "ticket,occasion,opened_at,closed_at,closed_by,tags\n"
    found = read(header + "\n".join(",".join(cells) for cells in rows))
    assert all(each.closure >= 1 and each.line >= 2 for each in found.closings)
    assert all(each.what and each.remedy for each in found.findings)


@given(st.binary(max_size=100))
def test_no_bytes_at_all_are_a_surprise(data: bytes) -> None:
    found = read_tickets(data, SHANGHAI)
    assert found.closings == ()
    assert len(found.findings) == 1
