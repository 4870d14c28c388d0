import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from services.contracts.topics import topics
from tests.kafka.server import Kafka, missing
from tests.kafka.topics import PARTITIONS, renew

pytestmark = pytest.mark.real_kafka


@pytest.fixture(scope="module")
def node() -> Iterator[Kafka]:
    with Kafka() as node:
        yield node


def test_tests_find_the_topics_of_the_flow_empty(kafka: str) -> None:
    found = AdminClient({"bootstrap.servers": kafka, "log_level": 0}).list_topics(timeout=10).topics
    assert {name for name in found if not name.startswith("__")} == {n for t in topics() for n in (t, f"{t}.dead")}
    assert all(len(found[topic].partitions) == PARTITIONS for topic in topics())


def test_renewing_forgets_records_and_groups(node: Kafka) -> None:
    renew(node.bootstrap, ["itsm.tickets"])
    _produce(node.bootstrap, b"old")
    assert [record.value() for record in _consume(node.bootstrap, 1)] == [b"old"]
    renew(node.bootstrap, ["itsm.tickets"])
    assert _consume(node.bootstrap, 1, patience=0.5) == []


def test_what_was_acknowledged_survives_a_kill(node: Kafka) -> None:
    renew(node.bootstrap, ["itsm.tickets"])
    _produce(node.bootstrap, b"kept")
    node.kill()
    node.start()
    assert [record.value() for record in _consume(node.bootstrap, 1)] == [b"kept"]


def test_a_frozen_node_says_nothing_and_goes_on_after_the_thaw(node: Kafka) -> None:
    renew(node.bootstrap, ["itsm.tickets"])
    producer = Producer({"bootstrap.servers": node.bootstrap, "log_level": 0, "acks": "all"})
    producer.list_topics(timeout=5)
    node.freeze()
    producer.produce("itsm.tickets", b"held")
    assert producer.flush(1) == 1
    node.thaw()
    assert producer.flush(20) == 0


def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert missing.__wrapped__() == "java is not installed"


def _produce(bootstrap: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0, "acks": "all"})
    producer.produce("itsm.tickets", value)
    assert producer.flush(20) == 0


def _consume(bootstrap: str, most: int, patience: float = 20) -> list[Message]:
    settings = {"bootstrap.servers": bootstrap, "log_level": 0, "group.id": str(uuid.uuid4())}
    consumer = Consumer({**settings, "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition("itsm.tickets", partition, 0) for partition in range(PARTITIONS)])
        return consumer.consume(most, timeout=patience)
    finally:
        consumer.close()
