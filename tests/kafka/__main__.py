"""`make kafka`: an Apache Kafka for development, in the foreground, with its data in `.cache/kafka/node`."""

import signal
import sys

from tests.kafka.server import CACHE, Kafka, missing

PORT = 9092


def main() -> None:
    if why := missing():
        sys.exit(f"Apache Kafka needs Java 17 and Maven: {why}. Debian: apt-get install openjdk-17-jre-headless maven")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    folder = CACHE / "node"
    folder.mkdir(parents=True, exist_ok=True)
    with Kafka(folder, port=PORT) as kafka:
        sys.stdout.write(f"Kafka serves on {kafka.bootstrap}; use HUIFANG_KAFKA={kafka.bootstrap}. Ctrl-C ends it.\n")
        sys.stdout.flush()
        try:
            kafka.process.wait()
        except KeyboardInterrupt:
            sys.stdout.write("\n")


if __name__ == "__main__":
    main()
