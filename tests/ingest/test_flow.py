"""From the door and from Kafka to what the scheduler hears: rows 21–28 as far as they are the room's."""

import json
from collections.abc import AsyncIterator
from typing import NamedTuple

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from ingest.commands import ensure_sources
from services import run
from services.auth import Role, install_key
from services.contracts.customers import OccasionReported
from services.contracts.envelope import Event, encode
from services.contracts.topics import ITSM
from services.house import House
from services.identifiers import uuid7
from tests.ingest import payloads
from tests.ingest.webhooks import SECRETS, dump, native
from tests.ingest.world import EMILY, START, closures, hear, reported
from tests.processes import free_port
from tests.services.waiting import until

DEAD = f"{ITSM}.dead"


class Running(NamedTuple):
    """The room in a process of its own, and ways to reach it from outside."""

    house: House
    kafka: str
    client: httpx.AsyncClient
    producer: AIOKafkaProducer

    async def send(
        self, value: bytes | None, key: str | None = None, partition: int | None = None, source: str | None = None
    ) -> None:
        headers = [("source", source.encode())] if source else []
        sent = await self.producer.send(
            ITSM, value, key=key.encode() if key else None, partition=partition, headers=headers
        )
        await sent

    async def report(self, event: Event, partition: int | None = None, key: str | None = None) -> None:
        value = encode(event, id=uuid7(), room="itsm", time=START)
        await self.send(value, key or event.subject, partition)

    async def heard(self, topic: str, number: int) -> list[tuple[bytes | None, dict[str, str]]]:
        """The first values of a topic, with their headers."""
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=self.kafka, auto_offset_reset="earliest", group_id=None)
        await consumer.start()
        try:
            found: list[tuple[bytes | None, dict[str, str]]] = []

            async def poll() -> bool:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    found.extend((each.value, {name: text.decode() for name, text in each.headers}) for each in records)
                return len(found) >= number

            await until(poll)
            return found
        finally:
            await consumer.stop()


@pytest.fixture
async def room(house: House, kafka: str) -> AsyncIterator[Running]:
    async with house.database.transaction("ingest") as transaction:
        await ensure_sources(house, transaction, SECRETS)
    port = free_port()
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    async with run.running(house, ("ingest",), port):
        await producer.start()
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
                yield Running(house, kafka, client, producer)
        finally:
            await producer.stop()


async def test_from_a_webhook_to_what_the_scheduler_hears(room: Running) -> None:
    bodies = {source: dump(getattr(payloads, source)()) for source in SECRETS}
    for source, body in bodies.items():
        answer = await room.client.post(f"/hooks/{source}", content=body, headers=native(room.house, source, body))
        assert answer.status_code == 202
    said = [json.loads(value or b"") for value, _ in await room.heard("huifang.ingest", len(bodies))]
    assert {each["type"] for each in said} == {"huifang.ticket.closed.v1"}
    assert {each["data"]["source"] for each in said} == set(SECRETS)
    assert len(await closures(room.house)) == len(bodies)


async def test_an_itsm_s_own_json_on_the_topic(room: Running) -> None:
    await room.send(dump(payloads.servicenow()), source="servicenow")
    await room.send(dump(payloads.servicenow()), key="whatever", source="servicenow")
    await room.report(reported())
    await until(lambda: _closed(room, 2))
    assert [row[:2] for row in await closures(room.house)] == [("generic", "T-1"), ("servicenow", "INC0000060")]


async def test_occasions_by_both_ways(room: Running) -> None:
    async with room.house.database.transaction("services") as transaction:
        await install_key(transaction, "crm", Role.integration, "hf_crm")
    told = {"source": "crm", "kind": "Repair done", "id": "R-1", "at": "2026-03-02T01:00:00Z"}
    event = {"specversion": "1.0", "id": "1", "source": "/crm", "type": OccasionReported.TYPE, "data": told}
    headers = {"authorization": "Bearer hf_crm"}
    answer = await room.client.post("/v1/events", json=event, headers=headers)
    assert answer.status_code == 202
    await room.report(OccasionReported(source="crm", kind="project accepted", id="P-7", at=START, requester=EMILY))
    await room.report(OccasionReported(source="crm", kind="again", id="P-7", at=START))
    said = [json.loads(value or b"") for value, _ in await room.heard("huifang.ingest", 2)]
    assert {each["subject"] for each in said} == {"crm/repair done/R-1", "crm/project accepted/P-7"}
    assert {each["type"] for each in said} == {"huifang.occasion.happened.v1"}
    ((_, letter),) = await room.heard(DEAD, 1)
    assert letter["huifang-reason"] == "kind"


async def test_rows_21_to_24_what_cannot_be_used_goes_to_the_dead_letters_and_the_rest_goes_on(room: Running) -> None:
    await room.send(None, key="generic/T-1")
    await room.send(b"", key="k")
    await room.send(b"\x00\xff random", key="k")
    later = encode(reported(), id=uuid7(), room="itsm", time=START).replace(b"reported.v1", b"reported.v9")
    await room.send(later, key="generic/T-1")
    await room.report(reported(), key="generic/T-2")
    await room.send(b"{}", source="nobody")
    await room.send(b"{}", source="jira")
    await room.report(reported(ticket="T-3", at=START.replace(year=2099)))
    await room.report(reported(ticket="T-4"))
    await until(lambda: _closed(room, 1))
    letters = await room.heard(DEAD, 7)
    assert sorted(headers["huifang-reason"] for _, headers in letters) == sorted(
        ["undecodable", "undecodable", "version", "key_mismatch", "unknown_source", "unmappable", "future"]
    )
    assert [row[1] for row in await closures(room.house)] == ["T-4"]


async def test_row_25_the_same_event_in_another_partition_has_one_effect(room: Running) -> None:
    for partition in (0, 1, 0):
        await room.report(reported(requester=EMILY), partition=partition)
    await room.report(reported(ticket="T-2"), partition=0)
    await room.report(reported(ticket="T-3"), partition=1)
    await until(lambda: _closed(room, 3))
    said = [json.loads(value or b"")["data"]["ticket"] for value, _ in await room.heard("huifang.ingest", 3)]
    assert sorted(said) == ["T-1", "T-2", "T-3"]


async def test_row_28_hearing_everything_again_changes_nothing(house: House) -> None:
    history = [reported("open", -5), reported(requester=EMILY), reported("open", 5), reported(minutes=9)]
    await hear(house, *history)
    before = await closures(house)
    for event in history:
        assert (await hear(house, event)).said == []
    assert (await hear(house, *reversed(history))).said == []
    assert await closures(house) == before


async def _closed(room: Running, number: int) -> bool:
    return len(await closures(room.house)) >= number
