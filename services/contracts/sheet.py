"""A table that somebody saved as text: CSV in whatever charset, delimiter and line ends his program prefers."""

import csv
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo
from typing import NamedTuple, NoReturn

MOST_BYTES = 512 * 1024 * 1024
"""The most that a packed file may hold."""
LONGEST_CELL = 10_000
"""In characters."""
MOST_COLUMNS = 1_000

_DELIMITERS = ",;\t"
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_CHARSETS = {"utf-8-sig": "utf-8"}
_UTF_16 = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_JOINTS = re.compile(r"[\s_\-]+")
_DAY = (
    r"(?:(?P<y>\d{4})[-/.年](?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})日?"
    r"|(?P<d2>\d{1,2})[-/.](?P<m2>\d{1,2})[-/.](?P<y2>\d{4}))"
)
_DAY_ONLY = re.compile(_DAY, re.ASCII)
_TIME = re.compile(
    _DAY
    + r"(?:[T ]+(?P<h>\d{1,2}):(?P<min>\d\d)(?::(?P<s>\d\d)(?:\.(?P<f>\d{1,6})\d*)?)?)?\s*(?P<z>Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)


class Finding(NamedTuple):
    """What is wrong at a place of a file, and what to do about it. `line` counts from 1; the header's line is 1."""

    line: int
    column: str | None
    what: str
    remedy: str

    def __str__(self) -> str:
        place = f"line {self.line}" + (f", column {self.column}" if self.column else "")
        return f"{place}: {self.what}. {self.remedy}"


class SheetError(ValueError):
    """The file cannot be read as a table at all."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


class Row(NamedTuple):
    """A record: the line on which it begins, and its cells by column, trimmed; an empty cell is `""`."""

    line: int
    cells: dict[str, str]


class Columns(NamedTuple):
    """Where the known columns stand, and the headers that nobody knows."""

    places: Mapping[str, int]
    headers: Mapping[str, str]
    unknown: tuple[str, ...]


class Sheet:
    """A header, and the records below it; `charset` and `delimiter` tell how the file was understood."""

    def __init__(
        self, header: Sequence[str], line: int, records: Iterator["_Record"], charset: str, delimiter: str
    ) -> None:
        self.header = tuple(header)
        self.charset = charset
        self.delimiter = delimiter
        self._line = line
        self._records = records

    def locate(self, known: Mapping[str, Iterable[str]], required: Iterable[str] = ()) -> Columns:
        """Finds columns by their names or by one of the synonyms, whatever their case, spaces, hyphens and underscores.

        Raises `SheetError` where one stands twice or a required one is missing.
        """
        names = {fold(each): name for name, synonyms in known.items() for each in (name, *synonyms)}
        places: dict[str, int] = {}
        unknown = []
        for place, header in enumerate(self.header):
            name = names.get(fold(header))
            if name is None:
                unknown.append(header)
            elif name in places:
                raise self._error(header, f"it means the same as {self.header[places[name]]!r}", "Keep one of the two")
            else:
                places[name] = place
        missing = [name for name in required if name not in places]
        if missing:
            found = ", ".join(filter(None, self.header)) or "nothing"
            raise self._error(missing[0], f"there is no such column, but {found}", "Name the columns in the first line")
        return Columns(
            places, {name: self.header[place] for name, place in places.items()}, tuple(filter(None, unknown))
        )

    def rows(self, columns: Columns) -> Iterator[Row | Finding]:
        """The records one by one, and what is wrong with those that are none. Lines without anything are left out."""
        width = len(self.header)
        for line, cells in self._records:
            if isinstance(cells, str):
                yield Finding(line, None, cells, "Write a quote inside quotes twice, and close what you open")
            elif len(cells) != width:
                what = f"{len(cells)} cells, though the header has {width}"
                yield Finding(line, None, what, "Put a cell that holds the delimiter into quotes, and leave none out")
            else:
                yield _row(line, cells, columns)

    def _error(self, column: str, what: str, remedy: str) -> SheetError:
        return SheetError(Finding(self._line, column, what, remedy))


class _Record(NamedTuple):
    """A record as it stands; text instead of cells is what is wrong with it."""

    line: int
    cells: list[str] | str


def open_sheet(data: bytes) -> Sheet:
    """The table in a file: UTF-8, UTF-16 or GB18030, perhaps packed with gzip, with commas, semicolons or tabs.

    Raises `SheetError`. The records are read as they are asked for.
    """
    text, charset = _decode(_unpack(data))
    delimiter = _delimiter(text)
    records = _records(text, delimiter)
    for line, cells in records:
        if isinstance(cells, str):
            raise SheetError(Finding(line, None, cells, "Name the columns in the first line"))
        # A first line `sep=;` is meant for spreadsheets.
        if "".join(cells).casefold() != "sep=":
            header = [unicodedata.normalize("NFKC", cell).strip() for cell in cells]
            if len(header) > MOST_COLUMNS:
                what = f"{len(header)} columns, more than {MOST_COLUMNS}"
                raise SheetError(Finding(line, None, what, "Leave out those that are not needed"))
            return Sheet(header, line, records, charset, delimiter)
    raise SheetError(
        Finding(1, None, "the file is empty", "Give a table with the names of its columns in the first line")
    )


def fold(name: str) -> str:
    """A column's name as it is compared."""
    return _JOINTS.sub("_", unicodedata.normalize("NFKC", name).strip().casefold()).strip("_*")


def read_day(text: str) -> date:
    """A day: 2026-03-02, 2026/3/2, 2026年3月2日, or day first: 2/3/2026, 2.3.2026. Raises `ValueError`."""
    found = _DAY_ONLY.fullmatch(text)
    if found is None:
        raise ValueError("not a day")
    return _day(found)


def read_time(text: str, zone: tzinfo) -> datetime:
    """A time in UTC: a day as in `read_day`, then HH:MM, seconds and an offset if there are any.

    `zone` is what a time without an offset is meant in. Raises `ValueError`.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError("not a time")
    day = _day(found)
    hour, minute, second, fraction, offset = found.group("h", "min", "s", "f", "z")
    where = _offset(offset) if offset else zone
    micro = int((fraction or "").ljust(6, "0"))
    try:
        moment = datetime(
            day.year, day.month, day.day, int(hour or 0), int(minute or 0), int(second or 0), micro, tzinfo=where
        )
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time out of range") from None


def _day(found: re.Match[str]) -> date:
    year, month, day = found.group("y", "m", "d")
    if year is None:
        year, month, day = found.group("y2", "m2", "d2")
    return date(int(year), int(month), int(day))


def _offset(text: str) -> tzinfo:
    if text == "Z":
        return UTC
    return datetime.strptime(text, "%z").tzinfo or UTC


def _unpack(data: bytes) -> bytes:
    if data.startswith(_WORKBOOKS):
        raise SheetError(Finding(1, None, "this is a workbook, no text", "Save the sheet as CSV UTF-8 in your program"))
    if not data.startswith(b"\x1f\x8b"):
        return data
    parts, left = [], MOST_BYTES
    try:
        while data:
            unpacking = zlib.decompressobj(wbits=31)
            parts.append(unpacking.decompress(data, left))
            left -= len(parts[-1])
            if not unpacking.eof or left <= 0:
                raise zlib.error("it is cut off or too large")
            data = unpacking.unused_data
    except zlib.error as error:
        raise SheetError(Finding(1, None, f"the packed file cannot be opened: {error}", "Give it unpacked")) from None
    return b"".join(parts)


def _decode(data: bytes) -> tuple[str, str]:
    """The text, and the charset that it was in."""
    charset = _UTF_16.get(data[:2]) or _bare_utf_16(data) or "utf-8-sig"
    try:
        text = data.decode(charset)
    except UnicodeDecodeError as error:
        if charset != "utf-8-sig":
            _refuse(data[: error.start].decode(charset, "replace"), "UTF-16")
        text, charset = _decode_gb18030(data, error), "gb18030"
    if "\0" in text:
        _refuse(text[: text.index("\0")], "text: it holds NUL")
    return text, _CHARSETS.get(charset, charset)


def _decode_gb18030(data: bytes, fault: UnicodeDecodeError) -> str:
    """What is no UTF-8 is GB18030, unless it is UTF-8 all the same but for a few bytes."""
    lenient = data.decode("utf-8-sig", "replace")
    kinds = Counter("bad" if each == "\ufffd" else "good" for each in lenient if not each.isascii())
    if kinds["good"] > 4 * kinds["bad"]:
        _refuse(data[: fault.start].decode("utf-8-sig", "replace"), "UTF-8")
    try:
        return data.decode("gb18030")
    except UnicodeDecodeError as error:
        _refuse(data[: error.start].decode("gb18030", "replace"), "UTF-8, UTF-16 or GB18030")


def _bare_utf_16(data: bytes) -> str | None:
    """UTF-16 without a mark: told by a delimiter or line end of two bytes."""
    start = data[:256]
    units = {start[place : place + 2] for place in range(0, len(start), 2)}
    for charset in ("utf-16-le", "utf-16-be"):
        if any(each.encode(charset) in units for each in f"{_DELIMITERS}\r\n"):
            return charset
    return None


def _refuse(before: str, what: str) -> NoReturn:
    line = 1 + len(re.findall(r"\r\n|\n|\r", before))
    raise SheetError(Finding(line, None, f"the file is no {what}", "Save it as CSV UTF-8"))


def _lines(text: str) -> Iterator[str]:
    return (found[0] for found in _LINE.finditer(text))


def _delimiter(text: str) -> str:
    """The one that parts the first line with anything on it into the most columns."""
    for line in _lines(text):
        bare = line.strip()
        if bare.casefold().startswith("sep=") and bare[4:] in ("", *_DELIMITERS):
            return bare[4:] or "\t"
        if bare:
            outside = re.sub(r'"[^"]*"', "", line)
            return max(_DELIMITERS, key=outside.count)
    return _DELIMITERS[0]


def _records(text: str, delimiter: str) -> Iterator[_Record]:
    """Every record with something in it. After a fault in the quotes nobody knows where the next begins: it ends."""
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _Record(line, f"the quotes do not match from here on ({error})")
            return
        if any(cell and not cell.isspace() for cell in cells):
            yield _Record(line, cells)


def _row(line: int, cells: Sequence[str], columns: Columns) -> Row | Finding:
    found: dict[str, str] = {}
    for name, place in columns.places.items():
        cell = cells[place].strip()
        if len(cell) > LONGEST_CELL:
            what = f"{len(cell)} characters, more than {LONGEST_CELL}"
            return Finding(line, columns.headers[name], what, "Shorten it, or look for a quote that is not closed")
        found[name] = cell
    return Row(line, found)
