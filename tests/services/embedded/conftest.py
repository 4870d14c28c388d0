"""A house whose database has the mailbox, too."""

import pytest

from services.house import House
from services.migrate import migrate


@pytest.fixture
async def mailbox_house(house: House, database_url: str) -> House:
    await migrate(database_url, ["services", "services.embedded"])
    return house
