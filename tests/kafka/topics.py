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
    wanted = set(names)
    _settle(admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in wanted]))
    _wait_for(admin, wanted)


def _forget_groups(admin: AdminClient) -> None:
    deadline = time.monotonic() + SECONDS
    while groups := [group.group_id for group in admin.list_consumer_groups().result(SECONDS).valid]:
        try:
            _settle(admin.delete_consumer_groups(groups))
        except KafkaException:  # a member that went without a word is still counted in, until its session times out
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _wait_for(admin: AdminClient, wanted: set[str]) -> None:
    """The controller's word comes first; clients ask the broker, who learns it a little later."""
    deadline = time.monotonic() + SECONDS
    while not wanted <= {
        name
        for name, topic in admin.list_topics(timeout=SECONDS).topics.items()
        if len(topic.partitions) == PARTITIONS and all(each.leader >= 0 for each in topic.partitions.values())
    }:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the broker does not show {sorted(wanted)}")
        time.sleep(0.02)


def _settle(asked: dict[str, Future[Any]]) -> None:
    for answer in asked.values():
        answer.result(SECONDS)
