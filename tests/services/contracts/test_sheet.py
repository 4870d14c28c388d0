"""Tables as programs save them."""

import csv
import gzip
import io
from contextlib import suppress
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.sheet import Finding, Row, SheetError, fold, open_sheet, read_day, read_time

KNOWN = {"customer": ("客户", "customer id"), "name": ("名称",), "email": ()}
TEXT = "customer,name,email\nC-1,示例科技,a@example.com\nC-2,Müller,\n"


def rows(data: bytes) -> list[Row | Finding]:
    sheet = open_sheet(data)
    return list(sheet.rows(sheet.locate(KNOWN, ("customer",))))


def refused(data: bytes) -> Finding:
    with pytest.raises(SheetError) as error:
        rows(data)
    return error.value.finding


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_whatever_the_program_prefers_the_same_is_read(charset: str, delimiter: str, end: str) -> None:
    text = TEXT.replace(",", delimiter).replace("\n", end)
    assert rows(text.encode(charset)) == [
        Row(2, {"customer": "C-1", "name": "示例科技", "email": "a@example.com"}),
        Row(3, {"customer": "C-2", "name": "Müller", "email": ""}),
    ]


def test_packed_files_are_opened_even_if_joined() -> None:
    first, _, rest = TEXT.partition("C-2")
    joined = gzip.compress(first.encode()) + gzip.compress(b"C-2" + rest.encode())
    assert rows(joined) == rows(TEXT.encode())
    assert "packed" in refused(gzip.compress(TEXT.encode())[:-12]).what


@pytest.mark.parametrize("header", ["客户", " Customer_ID ", "CUSTOMER-id*", "ｃｕｓｔｏｍｅｒ"])
def test_columns_go_by_their_synonyms_however_they_are_written(header: str) -> None:
    assert rows(f"{header}\nC-1\n".encode()) == [Row(2, {"customer": "C-1"})]


def test_headers_that_nobody_knows_are_named() -> None:
    sheet = open_sheet(b"customer,colour,,name\nC-1,red,,x\n")
    columns = sheet.locate(KNOWN)
    assert columns.unknown == ("colour",)
    assert list(sheet.rows(columns)) == [Row(2, {"customer": "C-1", "name": "x"})]


def test_quotes_blank_lines_and_spreadsheets_hints() -> None:
    data = b'sep=;\r\n\r\ncustomer;name\r\n"C;1";"two\r\nlines ""here"""\r\n;\r\n \r\nC-2; x \r\n'
    assert rows(data) == [
        Row(4, {"customer": "C;1", "name": 'two\r\nlines "here"'}),
        Row(8, {"customer": "C-2", "name": "x"}),
    ]


def test_a_row_of_another_width_is_named_and_the_rest_is_read() -> None:
    found = rows(b"customer,name\nC-1\nC-2,x,y\nC-3,z\n")
    assert [(each.line, isinstance(each, Finding)) for each in found] == [(2, True), (3, True), (4, False)]
    assert str(found[0]).startswith("line 2: 1 cells, though the header has 2. ")


def test_what_follows_a_broken_quote_is_not_guessed() -> None:
    *_, last = rows(b'customer,name\nC-1,x\nC-2,"y\nC-3,z\n')
    assert isinstance(last, Finding)
    assert (last.line, "quotes" in last.what) == (3, True)


def test_an_endless_cell_is_refused() -> None:
    (found,) = rows(b"customer,name\nC-1," + b"x" * 20_000 + b"\n")
    assert isinstance(found, Finding)
    assert (found.line, found.column) == (2, "name")


@pytest.mark.parametrize(
    ("data", "line", "word"),
    [
        (b"", 1, "empty"),
        (b"\xef\xbb\xbf\r\n \r\n", 1, "empty"),
        (b"PK\x03\x04rest", 1, "workbook"),
        (b"name,email\nx,y\n", 1, "no such column, but name, email"),
        ("customer,客户\n1,2\n".encode(), 1, "means the same as 'customer'"),
        (b'"customer,name\n', 1, "quotes"),
        (TEXT.encode() + "这一行是完好的文字,坏".encode()[:-1], 4, "no UTF-8"),
        (TEXT.encode("utf-16")[:-1], 3, "no UTF-16"),
        (b"customer\nC-1\n\xff\xff\xff\n", 3, "no UTF-8, UTF-16 or GB18030"),
        (b"customer\nC-12\0\n", 2, "NUL"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_place_and_remedy(data: bytes, line: int, word: str) -> None:
    found = refused(data)
    assert found.line == line
    assert word in found.what
    assert found.remedy


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Co", "Cn"], exclude_characters="\ufffd"), max_size=12)


@given(
    st.lists(st.tuples(CELLS, CELLS), max_size=5),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]),
    st.sampled_from([",", ";", "\t"]),
)
def test_what_was_written_is_read(cells: list[tuple[str, str]], charset: str, delimiter: str) -> None:
    file = io.StringIO(newline="")
    # Enough plain Chinese text that the charset is beyond doubt, as in a real file.
    csv.writer(file, delimiter=delimiter).writerows([("客户", "名称"), *[("一二三四五六", "七八九十")] * 10, *cells])
    found = [each.cells for each in rows(file.getvalue().encode(charset)) if isinstance(each, Row)][10:]
    kept = [(left.strip(), right.strip()) for left, right in cells if left.strip() or right.strip()]
    assert [(each["customer"], each["name"]) for each in found] == kept


@given(st.binary(max_size=200))
def test_no_bytes_at_all_are_a_surprise(data: bytes) -> None:
    with suppress(SheetError):
        assert all(each.line >= 2 for each in rows(b"customer,name\n" + data))
    with suppress(SheetError):
        assert rows(data) is not None


@pytest.mark.parametrize("text", ["2026-03-02", "2026/3/2", "2026.03.02", "2026年3月2日", "2/3/2026", "02.03.2026"])
def test_days_as_they_are_written(text: str) -> None:
    assert read_day(text) == date(2026, 3, 2)
    assert read_time(text, UTC) == datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02 10:15",
        "2026-03-02T10:15:00.000",
        "2/3/2026 10:15",
        "2026年3月2日 10:15",
        "2026-03-02T02:15:00Z",
        "2026-03-02T03:15+0100",
        "2026-03-02 04:15:00 +02:00",
    ],
)
def test_times_as_they_are_written(text: str) -> None:
    assert read_time(text, ZoneInfo("Asia/Shanghai")) == datetime(2026, 3, 2, 2, 15, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "soon", "31/2/2026", "3/13/2026", "2026-03-02 25:00", "0000-01-01", "٢/٣/٢٠٢٦"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_time(text, UTC)
    with pytest.raises(ValueError, match=r"."):
        read_day(text)


def test_a_time_at_the_end_of_all_times() -> None:
    with pytest.raises(ValueError, match="out of range"):
        read_time("0001-01-01 00:00", ZoneInfo("Asia/Shanghai"))


def test_names_are_compared_without_their_dress() -> None:
    assert fold(" Closed-At ") == fold("closed at") == fold("CLOSED__AT*") == "closed_at"


@pytest.mark.parametrize(
    ("charset", "delimiter", "told"),
    [
        ("utf-8", ",", "utf-8"),
        ("utf-8-sig", ";", "utf-8"),
        ("utf-16", "\t", "utf-16"),
        ("utf-16-le", ",", "utf-16-le"),
        ("gb18030", ";", "gb18030"),
    ],
)
def test_how_the_file_was_understood_is_told(charset: str, delimiter: str, told: str) -> None:
    sheet = open_sheet(delimiter.join(("编号", "名称")).encode(charset))
    assert (sheet.charset, sheet.delimiter) == (told, delimiter)


def test_a_million_columns_are_refused() -> None:
    with pytest.raises(SheetError, match="columns, more than"):
        open_sheet(b"a," * 1_000_000)
