import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest

from ingest.contact import refused, takes_sms
from ingest.customer import examine
from ingest.payload import parse
from ingest.signature import SignatureError, verify
from ingest.store import load_mappings
from services.clock import DrivenClock
from services.contracts.customer_file import CustomerFile, read_customers
from services.contracts.tickets import Requester
from services.embedded.folder import SOURCES
from services.embedded.sample import Player
from services.embedded.sample_register import register
from services.embedded.sample_story import STORY, Registration, Report
from services.embedded.sample_systems import Customer, Delivery, sign, tell
from tests.services.waiting import until

NOW = datetime(2026, 3, 2, 2, 0, 0, 500_000, tzinfo=UTC)
SECRETS = {name: f"{name}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"[:43] + "=" for name in SOURCES}
REPORTS = [step for step in STORY if isinstance(step, Report)]
REGISTERED = {step.person.id: step for step in STORY if isinstance(step, Registration)}


def customers() -> list[Customer]:
    told = [step.ticket.customer for step in REPORTS] + [step.person for step in REGISTERED.values()]
    return list(dict.fromkeys(told))


def listed() -> CustomerFile:
    return read_customers(register(NOW.date()))


@pytest.mark.parametrize("source", SOURCES)
def test_the_front_door_knows_the_signature(source: str) -> None:
    delivery = Delivery(UUID(int=7), NOW, b'{"a": 1}')
    headers = sign(source, SECRETS[source], delivery)
    assert verify(source, headers, delivery.body, [SECRETS[source]], NOW).delivery in (str(delivery.id), None)
    with pytest.raises(SignatureError):
        verify(source, headers, delivery.body + b" ", [SECRETS[source]], NOW)


@pytest.mark.parametrize("report", REPORTS, ids=[f"{each.ticket.number}-{each.state}" for each in REPORTS])
def test_the_front_door_understands_every_report(report: Report) -> None:
    ticket = report.ticket
    body = tell(ticket, report.state, NOW, NOW - timedelta(hours=3))
    reading = load_mappings(None)[ticket.source].read(parse(body), ticket.source, ZoneInfo("UTC"))
    (reported,) = reading.reports
    assert reported.ticket == ticket.number
    assert reported.state == ("open" if report.state == "open" else "closed")
    assert timedelta(0) <= NOW - reported.at < timedelta(seconds=1)
    assert reported.facts.closed_by == ticket.closed_by or report.state == "open"
    assert reported.facts.type == ticket.type
    assert reported.requester is not None
    assert reported.requester.id == ticket.customer.id
    assert not reported.requester.staff
    if ticket.customer.email or ticket.customer.phone:
        reachable = reported.requester.email or reported.requester.phone
        assert bool(reachable) != (ticket.customer.id in REGISTERED)


def test_the_register_is_read_without_a_word() -> None:
    file = listed()
    assert examine(file, "CN") == []
    assert (file.notes, file.unknown) == ((), ())
    assert all(customer.people for customer in file.customers)


def test_the_register_knows_the_customers_of_the_tickets_and_nobody_twice() -> None:
    assert {each.customer for each in listed().customers} == {person.organisation for person in customers()}
    told = {person.email for person in customers() if person.email}
    assert told.isdisjoint(person.requester.email for each in listed().customers for person in each.people)


def test_everybody_is_at_an_example_domain_or_has_a_number_reserved_for_fiction() -> None:
    listed_people = [person.requester for each in listed().customers for person in each.people]
    emails = [person.email for person in customers()] + [person.email for person in listed_people]
    phones = [person.phone for person in customers()] + [person.phone for person in listed_people]
    assert all(re.fullmatch(r"[a-z.]+@example\.(com|cn)", email) for email in emails if email)
    # Ofcom keeps 07700 900000 to 900999 free for drama.
    assert all(re.fullmatch(r"\+447700900\d{3}", phone) for phone in phones if phone)


def test_everybody_can_be_reached_as_the_story_wants() -> None:
    for person in customers():
        asked = Requester(id=person.id, name=person.name, email=person.email, phone=person.phone, locale=person.locale)
        assert not set(refused(asked, "CN")) - {"name"}
        assert person.phone is None or takes_sms(person.phone)


def test_the_story_shows_both_languages_and_every_source() -> None:
    assert {step.ticket.source for step in REPORTS} == set(SOURCES)
    assert {person.locale[:2] for person in customers()} == {"zh", "en"}
    assert [step.after for step in STORY] == sorted(step.after for step in STORY)


class House:
    """Answers like a house that is sometimes not there."""

    def __init__(self, answers: Sequence[int | None]) -> None:
        self._answers = list(answers)
        self.heard: list[str] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = self._answers.pop(0) if self._answers else 202
        if answer is None:
            raise httpx.ConnectError("nobody there")
        if answer < 300:
            self.heard.append(request.url.path)
        return httpx.Response(answer)


async def play(path: Path, house: House, clock: DrivenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.embedded.sample.RETRY_SECONDS", 0)
    async with httpx.AsyncClient(transport=httpx.MockTransport(house), base_url="http://house") as client:
        await Player(path, client, clock, SECRETS).play()


@pytest.fixture
def later() -> DrivenClock:
    """A clock on which the whole story is past as soon as it has begun."""

    class Jumps(DrivenClock):
        def now(self) -> datetime:
            self.advance(timedelta(hours=1))
            return super().now()

    return Jumps(NOW)


async def test_it_is_played_once_for_ever(tmp_path: Path, later: DrivenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House([])
    await play(tmp_path / "sample.json", house, later, monkeypatch)
    assert len(house.heard) == len(STORY)
    await play(tmp_path / "sample.json", house, later, monkeypatch)
    assert len(house.heard) == len(STORY)


async def test_a_house_that_does_not_answer_is_told_again(
    tmp_path: Path, later: DrivenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House([None, 503, 500, 202, None])
    await play(tmp_path / "sample.json", house, later, monkeypatch)
    assert len(house.heard) == len(STORY)


async def test_it_goes_on_after_a_kill(tmp_path: Path, later: DrivenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sample.json"
    first = House([202] * 10 + [None] * 100_000)
    killed = asyncio.create_task(play(path, first, later, monkeypatch))
    await until(lambda: len(first.heard) == 10)
    killed.cancel()
    await asyncio.wait([killed])
    second = House([])
    await play(path, second, later, monkeypatch)
    assert len(first.heard) + len(second.heard) == len(STORY)


async def test_each_step_waits_for_its_time(
    tmp_path: Path, clock: DrivenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, began = House([]), clock.now()
    playing = asyncio.create_task(play(tmp_path / "sample.json", house, clock, monkeypatch))
    for hours in (0.0, 1.0, 7.0):
        clock.set(began + timedelta(hours=hours))
        due = sum(step.after <= timedelta(hours=hours) for step in STORY)
        await until(lambda due=due: len(house.heard) >= due)  # type: ignore[misc]
        await asyncio.sleep(0.1)
        assert len(house.heard) == due
    playing.cancel()
