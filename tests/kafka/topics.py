"""Topics and groups of a node, renewed between tests."""

import time
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

PARTITIONS = 4
SECONDS = 15


def renew(bootstrap: str, names: Iterable[str]) -> None:
    """Deletes every topic and consumer group of the node, and creates the topics `names` empty."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    old = [name for name in admin.list_topics(timeout=SECONDS).topics if not name.startswith("__")]
    _forget_groups(admin)
    if old:
        _settle(admin.delete_topics(old, operation_timeout=SECONDS))
    _settle(admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names]))


def _forget_groups(admin: AdminClient) -> None:
    deadline = time.monotonic() + SECONDS
    while groups := [group.group_id for group in admin.list_consumer_groups().result(SECONDS).valid]:
        try:
            _settle(admin.delete_consumer_groups(groups))
        except KafkaException:  # a member that went without a word is still counted in, until its session times out
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _settle(asked: dict[str, Future[Any]]) -> None:
    for answer in asked.values():
        answer.result(SECONDS)
