"""A Kafka-protocol broker in this process: the mock cluster inside librdkafka, which the confluent-kafka wheel brings.

It speaks the protocol of a real broker over TCP, and keeps everything in memory: when the process ends, its topics and
offsets are gone, and the outboxes and sweepers say again what is still needed. Its limits, measured with
confluent-kafka 2.16:

- A partition keeps 5 MiB or 100,000 batches; then its oldest batch goes, read or not. A consumer that is further behind
  gets `OFFSET_OUT_OF_RANGE` and goes on at the oldest (`auto_offset_reset="earliest"`). Compressed, more fits.
- A waiting fetch is not woken by a new record: latency is up to the consumer's `fetch_max_wait_ms`.
- A fetch brings one batch of each partition. 50,000 small records/s go in and 30,000 come out, on two cores.
- A consumer group may have one member. It is in at once the first time; a group whose member has left or died lets the
  next one in after the session timeout.
- There are no admin requests and no authentication, and it listens on 127.0.0.1 only.
"""

import ctypes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from confluent_kafka import cimpl

_ERROR_BYTES = 512
_PRODUCER = 0
_SILENT = {"log_level": "0"}


@contextmanager
def open_broker(topics: Mapping[str, int]) -> Iterator[str]:
    """The bootstrap address of a fresh broker with these topics and numbers of partitions.

    A topic that is asked for and missing appears with four partitions. Raises `RuntimeError` where none can be opened.
    """
    # `test.mock.num.brokers` makes the same cluster, but with a wait of three seconds for every new group.
    library = _library()
    client = library.rd_kafka_new(_PRODUCER, _configuration(library), ctypes.create_string_buffer(0), 0)
    cluster = library.rd_kafka_mock_cluster_new(client, 1) if client else None
    if not cluster:
        raise RuntimeError("librdkafka opens no mock cluster")
    try:
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0)
        for topic, partitions in topics.items():
            library.rd_kafka_mock_topic_create(cluster, topic.encode(), partitions, 1)
        yield library.rd_kafka_mock_cluster_bootstraps(cluster).decode()
    finally:
        library.rd_kafka_mock_cluster_destroy(cluster)
        library.rd_kafka_destroy(client)


def _configuration(library: ctypes.CDLL) -> Any:
    configuration, error = library.rd_kafka_conf_new(), ctypes.create_string_buffer(_ERROR_BYTES)
    for name, value in _SILENT.items():
        library.rd_kafka_conf_set(configuration, name.encode(), value.encode(), error, _ERROR_BYTES)
    return configuration


def _library() -> ctypes.CDLL:
    """librdkafka, found through the extension module that is linked to it, with the types of what is used here."""
    library = ctypes.CDLL(cimpl.__file__)
    pointer, text, number, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (number, [pointer, text, text, text, size]),
        "rd_kafka_new": (pointer, [number, pointer, text, size]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, number]),
        "rd_kafka_mock_cluster_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_topic_create": (number, [pointer, text, number, number]),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [pointer, ctypes.c_int32]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
