"""Apache Kafka from its jars: prepared once, then started, killed, frozen and restarted at will."""

import functools
import hashlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests import processes
from tests.processes import free_port

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy" / "kafka"
CACHE = ROOT / ".cache" / "kafka"
CLUSTER = "huifang-one-node-kafkaA"
JAVA = ("java", "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")


@functools.cache
def missing() -> str | None:
    """What keeps Kafka from running here, in words; None where nothing does."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    told = subprocess.run(["java", "-version"], check=False, capture_output=True, text=True).stderr
    version = re.search(r'version "(\d+)', told)
    if version is None or int(version[1]) < 17:
        return "java is older than 17"
    return None


@functools.cache
def jars() -> Path:
    """The folder of Kafka's jars, fetched by Maven the first time and whenever `pom.xml` changes."""
    pom = DEPLOY / "pom.xml"
    folder = CACHE / f"jars-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        fetched = Path(tempfile.mkdtemp(prefix="fetching-", dir=CACHE))
        command = ["mvn", "-B", "-q", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={fetched}"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(fetched)
            raise RuntimeError(f"Maven cannot fetch Kafka:\n{done.stdout}{done.stderr}")
        try:
            fetched.rename(folder)
        except OSError:  # another run was faster
            shutil.rmtree(fetched)
    return folder


class Kafka:
    """One node on free ports, in a temporary folder unless one is given.

    With `proxied`, a second listener tells clients to come by 127.0.0.1:`proxied`, where a fault proxy stands that
    forwards to `behind_proxy`.
    """

    def __init__(self, folder: Path | None = None, *, port: int | None = None, proxied: int | None = None) -> None:
        self._temporary = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="huifang-kafka-")) if folder is None else folder
        self.log = self.folder / "server.log"
        self.port = port or free_port()
        self.behind_proxy = ("127.0.0.1", free_port())
        self._properties = self.folder / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        self._configure(proxied)

    def __enter__(self) -> Self:
        try:
            self.format()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not running"
        return self._process

    def format(self) -> None:
        """Prepares the log folder; changes nothing where that was done before."""
        command = self._java("kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", CLUSTER, "-c")
        done = subprocess.run([*command, self._properties], check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"Kafka cannot format its folder:\n{done.stdout}{done.stderr}")

    def start(self, patience: float = 60) -> None:
        """Starts the node and waits until it serves."""
        self._process = processes.start(self._java("kafka.Kafka", self._properties), log=self.log)
        deadline = time.monotonic() + patience
        while not self._serves():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Kafka does not start:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stops the node in order."""
        if self._process is not None:
            processes.stop(self._process, patience=20)
            self._process = None

    def kill(self) -> None:
        """Ends the node by `kill -9`; `start` brings it back with what it had."""
        self.process.kill()
        self.process.wait()
        self._process = None

    def freeze(self) -> None:
        """The node stands still with its sockets open (SIGSTOP)."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """The node goes on after `freeze`."""
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Stops the node and removes its folder, if temporary. What a temporary node holds is not worth an order."""
        if self._process is not None and self._temporary:
            self.kill()
        self.stop()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _configure(self, proxied: int | None) -> None:
        controller = free_port()
        listeners = {"PLAINTEXT": (self.port, self.port)}
        if proxied:
            listeners["PROXIED"] = (self.behind_proxy[1], proxied)
        bound = [f"{name}://127.0.0.1:{port}" for name, (port, _) in listeners.items()]
        own = {
            "listeners": ",".join([*bound, f"CONTROLLER://127.0.0.1:{controller}"]),
            "advertised.listeners": ",".join(f"{name}://127.0.0.1:{said}" for name, (_, said) in listeners.items()),
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(self.folder / "data"),
        }
        shared = (DEPLOY / "server.properties").read_text().splitlines()
        kept = [line for line in shared if line.partition("=")[0] not in own]
        self._properties.write_text("\n".join([*kept, *(f"{name}={value}" for name, value in own.items())]) + "\n")

    def _java(self, program: str, *arguments: str | Path) -> list[str]:
        return [*JAVA, "-cp", f"{jars()}/*", program, *map(str, arguments)]

    def _serves(self) -> bool:
        try:
            return bool(
                AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0}).list_topics(timeout=1).brokers
            )
        except KafkaException:
            return False
