"""A count of a trial's exported decisions by somebody who knows nothing of the scheduler: a table, a calendar, sums."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from hashlib import blake2b
from math import ceil
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, str]
Key = tuple[str, str, str]
TALKS = frozenset({"call", "visit"})
REACHED = frozenset({"accepted", "delivered", "answered", "refused"})
DISTURBS = frozenset({"said", "accepted", "failed", "delivered"})


class Recount:
    """The rows of a table, and the policy as its file says it (YAML, nothing added)."""

    def __init__(self, table: Path, policy: dict[str, Any]) -> None:
        self.policy = policy
        self.zone = ZoneInfo(policy["calendar"]["timezone"])
        rows: defaultdict[str, list[Row]] = defaultdict(list)
        with table.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                rows[row["record"]].append(row)
        self.decisions, self.deeds, self.ends = rows["decision"], rows["deed"], rows["end"]
        self.plans, self.units = rows["plan"], rows["unit"]
        self._deeds: defaultdict[Key, list[Row]] = defaultdict(list)
        for row in self.deeds:
            self._deeds[key(row)].append(row)

    def promises(self) -> Counter[str]:
        """First contacts in time and late; none is owed where its reason was gone before."""
        return Counter(self._promise(row) for row in self.ends)

    def _promise(self, row: Row) -> str:
        at = self.contact(key(row))
        if at is None and row["outcome"] in ("cancelled", "declined"):
            return "not owed"
        return "in time" if at is not None and at <= moment(row["promised_by"]) else "late"

    def contact(self, survey: Key) -> datetime | None:
        """When a person was first reached: a message went out, or he was spoken to."""
        done = (
            row
            for row in self._deeds.get(survey, ())
            if row["what"] in REACHED and not (row["channel"] in TALKS and row["what"] == "accepted")
        )
        return min((moment(row["at"]) for row in done), default=None)

    def in_quiet_time(self) -> list[Row]:
        """What disturbs people in their quiet hours."""
        start, end = (time.fromisoformat(text) for text in self.policy["calendar"]["quiet"].split("-"))
        return [row for row in self.deeds if _disturbs(row) and _within(_wall(row), start, end)]

    def most_within_limit(self) -> int:
        """How often one person was asked within the limit's period, at most."""
        _, days = self.limit
        asked: defaultdict[str, list[datetime]] = defaultdict(list)
        for survey, rows in self._deeds.items():
            first = min(moment(row["at"]) for row in rows if row["what"] == "said")
            if rows[0]["limited"]:
                asked[rows[0]["person"]].append(first)
            assert survey == key(rows[0])
        return max((_most(sorted(times), timedelta(days=days)) for times in asked.values()), default=0)

    @property
    def limit(self) -> tuple[int, int]:
        """So many surveys in so many days."""
        most, _, days, *_ = self.policy["limits"]["per_person"].split()
        return int(most), int(days)

    def surveys(self) -> Counter[tuple[str, str]]:
        """Ends of surveys by rule."""
        return Counter((row["rule"], row["outcome"]) for row in self.ends)

    def wrong_draws(self) -> list[Row]:
        """Decisions that do not follow from their own draw, done again here."""
        return [row for row in self.decisions if row["draw"] and not self._follows(row)]

    def _follows(self, row: Row) -> bool:
        number = draw(row["rule"], row["source"], row["ticket"], row["closure"])
        text = self.policy["surveys"][row["rule"].partition("/")[2]].get("share", "100%")
        share = Fraction(str(text).rstrip("% ")) / 100
        drawn = row["reason"] in ("guaranteed",) or row["on"] in ("again", "calendar") or number < share
        return repr(number) == row["draw"] and drawn == (row["reason"] != "not_sampled")

    def unready_plans(self) -> list[Row]:
        """Plans not drawn up, approved and opened within their days."""
        latest, earliest, unit = _days_before(self.policy["plans"]["ready"])
        assert unit == "days"
        wrong = []
        for row in self.plans:
            opens, approved, drawn = (
                moment(row[name]).astimezone(self.zone).date() for name in ("opens", "approved_at", "at")
            )
            if not (drawn <= approved and latest <= (opens - approved).days and (opens - drawn).days <= earliest):
                wrong.append(row)
        return wrong

    def coverage(self, share: str) -> list[tuple[str, int, int, int]]:
        """Of each plan: its name, how many active customers are needed, were drawn, and were reached."""
        found = []
        for plan in self.plans:
            units = [row for row in self.units if row["ticket"].startswith(plan["ticket"] + "/")]
            active = {row["customer"] for row in units if row["active"]}
            drawn = {row["customer"] for row in units if row["outcome"] == "drawn"} & active
            tickets = {row["ticket"]: row["customer"] for row in units}
            asked = (row for row in self.ends if row["on"] == "calendar" and row["ticket"] in tickets)
            reached = {tickets[row["ticket"]] for row in asked if row["contacted_at"]} & active
            needed = ceil(Fraction(share.rstrip("%")) / 100 * len(active))
            found.append((plan["ticket"], needed, len(drawn), len(reached)))
        return found

    def followed_up(self, rule: str, by: Iterable[str] | None, until: date) -> dict[tuple[int, int], tuple[int, int]]:
        """By year and quarter that ended by a day: the cases of a rule that lasted, and how many were followed up."""
        cases: defaultdict[tuple[int, int], list[Key]] = defaultdict(list)
        for row in self.decisions:
            day = moment(row["happened_at"]).astimezone(self.zone).date()
            quarter = (day.month - 1) // 3 + 1
            over = date(day.year + quarter // 4, quarter % 4 * 3 + 1, 1)
            if row["rule"] == rule and not row["reopened_at"] and row["on"] != "again" and over <= until:
                cases[day.year, quarter].append(key(row))
        return {term: (len(keys), sum(self._is_followed_up(each, by) for each in keys)) for term, keys in cases.items()}

    def _is_followed_up(self, survey: Key, by: Iterable[str] | None) -> bool:
        done = [row for row in self._deeds.get(survey, ()) if row["what"] in ("answered", "delivered")]
        return (
            any(row["what"] == "answered" or row["channel"] in TALKS for row in done)
            if by is None
            else any(row["channel"] in by and row["what"] == "delivered" for row in done)
        )


def key(row: Row) -> Key:
    return row["source"], row["ticket"], row["closure"]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def draw(*parts: str) -> float:
    """The first 53 bits of BLAKE2b, as the handbook says."""
    text = b"".join(part.encode() + b"\0" for part in parts)
    return (int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 11) / 2**53


def _disturbs(row: Row) -> bool:
    return row["what"] in DISTURBS or (row["channel"] in TALKS and row["what"] in ("answered", "refused"))


def _wall(row: Row) -> time:
    return moment(row["at"]).astimezone(ZoneInfo(row["zone"])).time()


def _within(wall: time, start: time, end: time) -> bool:
    return start <= wall < end if start <= end else wall >= start or wall < end


def _most(times: list[datetime], period: timedelta) -> int:
    return max(sum(1 for other in times if at <= other < at + period) for at in times)


def _days_before(text: str) -> tuple[int, int, str]:
    days, _, unit = text.removesuffix(" before").partition(" ")
    latest, earliest = days.split("-")
    return int(latest), int(earliest), unit
