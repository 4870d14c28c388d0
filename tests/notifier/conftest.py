from collections.abc import AsyncIterator

import pytest

from services.house import House
from tests.notifier.servers import Gateway, MailServer, Reply, gateway, mail_server
from tests.notifier.stage import Stage, open_stage


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    """A mail server."""
    async with mail_server() as opened:
        yield opened


@pytest.fixture
async def sms() -> AsyncIterator[Gateway]:
    """A gateway of the generic protocol that takes everything; tests replace its `answer`."""
    async with gateway(lambda request: Reply(202, {"id": f"g-{len(made.requests)}"})) as made:
        yield made


@pytest.fixture
async def stage(house: House, server: MailServer, sms: Gateway) -> AsyncIterator[Stage]:
    """The room, between a mail server and a gateway."""
    async with open_stage(house, server, sms) as opened:
        yield opened
