"""The real ServiceNow log, read for two purposes that share nothing else: what is sent, and what must come of it."""

import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

CODES = {"New": "1", "Active": "2", "Resolved": "6", "Closed": "7"}
ENDED = frozenset({"Resolved", "Closed"})
OTHER = "3"
UNKNOWN = "?"


class Row(NamedTuple):
    """One line of the log: the state of an incident from a moment on."""

    incident: str
    state: str
    at: datetime
    caller: str
    columns: dict[str, str]

    def payload(self) -> bytes:
        """The line as ServiceNow's JSON. Contact data is made up; an unknown caller stays unknown."""
        moment = f"{self.at:%Y-%m-%d %H:%M:%S}.{self.at.microsecond // 1000:03d}"
        ended = moment if self.state in ENDED else ""
        record = {
            "number": self.incident,
            "sys_class_name": "incident",
            "state": CODES.get(self.state, OTHER),
            "sys_updated_on": moment,
            "resolved_at": ended if self.state == "Resolved" else "",
            "closed_at": ended if self.state == "Closed" else "",
            "priority": self.columns["priority"],
            "category": self.columns["category"],
            "assignment_group": self.columns["assignment_group"],
            "caller_id": "" if self.caller == UNKNOWN else self.caller,
        }
        if self.caller != UNKNOWN:
            address = self.caller.lower().replace(" ", "-")
            record["caller"] = {"name": self.caller, "email": f"{address}@example.com"}  # type: ignore[assignment]
        return json.dumps(record).encode()


class Closed(NamedTuple):
    """A closure as this file counts it: a run of ended states, until a line of another state."""

    incident: str
    number: int
    at: datetime
    reopened_at: datetime | None
    caller: str


def read(path: Path) -> dict[str, list[Row]]:
    """Every incident's lines in the order of their times; lines of one minute keep the order of their numbers."""
    incidents: dict[str, list[Row]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for columns in csv.DictReader(file):
            minute = datetime.strptime(columns["sys_updated_at"], "%d/%m/%Y %H:%M").replace(tzinfo=UTC)
            at = minute + timedelta(milliseconds=int(columns["sys_mod_count"]))
            incidents[columns["number"]].append(
                Row(columns["number"], columns["incident_state"], at, columns["caller_id"], columns)
            )
    return {incident: sorted(rows, key=lambda row: row.at) for incident, rows in incidents.items()}


def closures(rows: list[Row]) -> Iterator[Closed]:
    """The closures of one incident, counted from its lines alone."""
    began: Row | None = None
    number = 0
    for row in rows:
        if row.state in ENDED and began is None:
            began, number = row, number + 1
        elif row.state not in ENDED and began is not None:
            yield Closed(row.incident, number, began.at, row.at, began.caller)
            began = None
    if began is not None:
        yield Closed(began.incident, number, began.at, None, began.caller)
