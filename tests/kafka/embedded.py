"""The broker inside the confluent-kafka wheel: in memory, for machines without Java. Groups have one member only."""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka.admin import AdminClient


@contextmanager
def embedded_broker() -> Iterator[str]:
    """The bootstrap address of a fresh broker; it lives as long as the client that holds it."""
    holder = AdminClient({"test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = holder.list_topics(timeout=10).brokers.values()
    yield f"{broker.host}:{broker.port}"
    del holder
