"""What a measurement stands on: a durable PostgreSQL of its own, and real Kafka where it is to be had."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from services.contracts.topics import topics
from services.embedded.broker import open_broker
from services.seal import KeyRing
from services.settings import Settings
from tests.kafka import server
from tests.postgres import PostgreSQL

PARTITIONS = 4


@contextmanager
def ground() -> Iterator[Settings]:
    """Settings of a fresh installation on servers of its own: fsync and synchronous_commit are on."""
    with ExitStack() as resources:
        postgres = resources.enter_context(PostgreSQL(durable=True))
        if server.missing():
            kafka = resources.enter_context(open_broker(dict.fromkeys(topics(), PARTITIONS)))
        else:
            kafka = resources.enter_context(server.Kafka()).bootstrap
        yield Settings.model_validate(
            {"database_url": postgres.url(), "kafka": kafka, "keyring": KeyRing.generate(), "log_level": "ERROR"}
        )
