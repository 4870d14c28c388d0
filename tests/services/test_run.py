import httpx

from services import run
from services.contracts.tickets import TicketClosed
from services.house import House
from services.room import Room
from tests.processes import free_port
from tests.services.toys import closed, note, noted
from tests.services.waiting import until


async def test_what_one_room_says_another_hears(house: House, kafka: str) -> None:
    scheduler = Room(name="scheduler", handlers={TicketClosed: note})
    port = free_port()
    async with run.running(house, (), port, further=(scheduler, Room(name="ingest"))):
        async with house.database.transaction("ingest") as transaction:
            for number in range(1_000):
                transaction.say(closed(number))
        await until(lambda: _heard(house, 1_000))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            assert (await client.get("/livez")).status_code == 200
            assert (await client.get("/readyz")).json()["status"] == "ok"
            assert "huifang_outbox_rows" in (await client.get("/metrics")).text
            assert (await client.get("/v1/nothing")).status_code == 401
    async with house.database.reading() as transaction:
        assert await transaction.fetchval("select count(*) from ingest.outbox") == 0


async def _heard(house: House, number: int) -> bool:
    return await noted(house.database) == {f"jira/T-{each}": 1 for each in range(number)}
