import re
import tomllib
from collections.abc import Callable
from contextlib import AsyncExitStack
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from services.contracts.topics import WIRES, heard_by
from services.house import House
from services.kafka import DEAD
from services.run import ALL, PORT_OF_ALL, PORTS
from services.settings import Settings
from tests.manifests import (
    Manifest,
    find,
    findings,
    ingress_paths,
    pod_of,
    render,
    render_plainly,
    room_behind,
    wrong_settings,
)

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
BASE = ROOT / "k8s" / "base"
KUBERNETES = ("1.32", "1.34", "1.37")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

Change = Callable[[list[Manifest]], Any]


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    return render(BASE)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


@pytest.mark.parametrize("version", KUBERNETES)
def test_manifests_are_what_kubernetes_understands(version: str, manifests: list[Manifest]) -> None:
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_misspelt_field_is_told(manifests: list[Manifest]) -> None:
    broken = deepcopy(find(manifests, "Deployment", "ingest"))
    broken["spec"]["replica"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES[-1], strict=True)


def test_manifests_keep_the_rules(manifests: list[Manifest]) -> None:
    assert findings(manifests) == []


def test_rendering_without_kubectl_gives_the_same(manifests: list[Manifest]) -> None:
    def order(manifest: Manifest) -> tuple[str, str]:
        return manifest["kind"], manifest["metadata"]["name"]

    assert sorted(render_plainly(BASE), key=order) == sorted(manifests, key=order)


def _pod(manifests: list[Manifest]) -> Manifest:
    return pod_of(find(manifests, "Deployment", "notifier"))


def _container(manifests: list[Manifest]) -> Manifest:
    container: Manifest = _pod(manifests)["containers"][0]
    return container


def _spec(kind: str, name: str) -> Callable[[list[Manifest]], Manifest]:
    return lambda manifests: find(manifests, kind, name)["spec"]


def _sets(where: Callable[[list[Manifest]], Manifest], path: str, value: object) -> Change:
    def change(manifests: list[Manifest]) -> None:
        target = where(manifests)
        *way, last = path.split(" ")
        for step in way:
            target = target.setdefault(step, {})
        target[last] = value

    return change


def _drops(where: Callable[[list[Manifest]], Manifest], name: str) -> Change:
    return lambda manifests: where(manifests).pop(name)


def _loses(kind: str, name: str) -> Change:
    return lambda manifests: manifests.remove(find(manifests, kind, name))


def _settings(manifests: list[Manifest]) -> Manifest:
    data: Manifest = find(manifests, "ConfigMap", "huifang")["data"]
    return data


def _first_path(manifests: list[Manifest]) -> Manifest:
    path: Manifest = find(manifests, "Ingress", "huifang")["spec"]["rules"][0]["http"]["paths"][0]
    return path


_room = _spec("Deployment", "notifier")

MUTANTS: dict[str, Change] = {
    "may run as root": _sets(_pod, "securityContext runAsNonRoot", False),
    "may run as root ": _sets(_pod, "securityContext runAsUser", 0),
    "may run as root  ": _sets(_container, "securityContext runAsUser", 0),
    "without the runtime's seccomp profile": _sets(_pod, "securityContext seccompProfile type", "Unconfined"),
    "has a token for the cluster": _drops(_pod, "automountServiceAccountToken"),
    "Services become variables like settings": _drops(_pod, "enableServiceLinks"),
    "sets hostNetwork": _sets(_pod, "hostNetwork", True),
    "sets hostPID": _sets(_pod, "hostPID", True),
    "volume tmp reaches the node or has no limit": _sets(_pod, "volumes", [{"name": "tmp", "emptyDir": {}}]),
    "volume node reaches": _sets(_pod, "volumes", [{"name": "node", "hostPath": {"path": "/"}}]),
    "everybody may read the secrets": _sets(_pod, "volumes", [{"name": "s", "secret": {"defaultMode": 0o444}}]),
    "may gain privileges": _sets(_container, "securityContext allowPrivilegeEscalation", True),
    "may gain privileges ": _sets(_container, "securityContext privileged", True),
    "may write to its root filesystem": _drops(lambda m: _container(m)["securityContext"], "readOnlyRootFilesystem"),
    "keeps capabilities": _sets(_container, "securityContext capabilities", {"drop": ["NET_RAW"]}),
    "keeps capabilities ": _sets(_container, "securityContext capabilities add", ["NET_ADMIN"]),
    "without requests and a memory limit": _drops(lambda m: _container(m)["resources"], "limits"),
    "image huifang:latest is not pinned": _sets(_container, "image", "huifang:latest"),
    "image huifang is not pinned": _sets(_container, "image", "huifang"),
    "takes a port of the node": _sets(_container, "ports", [{"containerPort": 8003, "hostPort": 80}]),
    "HUIFANG_SMTP is no setting": _sets(_settings, "HUIFANG_SMTP", "smtp://mail"),
    "HUIFANG_KEYRING stands in clear": _sets(_settings, "HUIFANG_KEYRING", "k1:…"),
    "HUIFANG_KAFKA is missing": _drops(_settings, "HUIFANG_KAFKA"),
    "HUIFANG_DATABASE_URL is missing": _sets(_container, "env", []),
    "room notifier: runs ['serve', 'scoring']": _sets(_container, "args", ["serve", "scoring"]),
    "room notifier: does not open 8003": _sets(_container, "ports", [{"name": "http", "containerPort": 8000}]),
    "room notifier: is scraped at": _sets(_room, "template metadata annotations prometheus.io/port", "1"),
    "liveness does not ask /livez": _sets(_container, "livenessProbe httpGet path", "/readyz"),
    "readiness does not ask /readyz": _drops(_container, "readinessProbe"),
    "startup does not ask /livez": _drops(_container, "startupProbe"),
    "7 replicas for 6 partitions": _sets(_room, "replicas", 7),
    "1 replicas for 6 partitions": _sets(_room, "replicas", 1),
    "is less than whole during an update": _sets(_room, "strategy rollingUpdate maxUnavailable", 1),
    "is killed before it has stopped": _sets(_pod, "terminationGracePeriodSeconds", 29),
    "is killed before it has stopped ": _drops(_container, "lifecycle"),
    "its Service leads elsewhere": _sets(_spec("Service", "notifier"), "selector", {"app": "x"}),
    "its Deployment looks after other pods": _sets(_room, "selector matchLabels", {"app": "x"}),
    "its budget lets none go, or all": _sets(_spec("PodDisruptionBudget", "notifier"), "minAvailable", 2),
    "room scoring: no Deployment scoring": _loses("Deployment", "scoring"),
    "room scoring: no Service scoring": _loses("Service", "scoring"),
    "room scoring: no PodDisruptionBudget scoring": _loses("PodDisruptionBudget", "scoring"),
    "no NetworkPolicy denies everything": _loses("NetworkPolicy", "nothing-by-default"),
    "does not enforce restricted pods": _sets(
        lambda m: find(m, "Namespace", "huifang")["metadata"]["labels"],
        "pod-security.kubernetes.io/enforce",
        "baseline",
    ),
    "mounts its token": _drops(lambda m: find(m, "ServiceAccount", "huifang"), "automountServiceAccountToken"),
    "has no end": _drops(_spec("Job", "migrate"), "activeDeadlineSeconds"),
    "without TLS": _drops(_spec("Ingress", "huifang"), "tls"),
    "/metrics is reachable from outside": _sets(_first_path, "path", "/"),
    "a secret in the repository": lambda m: m.append({"kind": "Secret", "metadata": {"name": "huifang"}, "data": {}}),
}
"""Changes that the rules must notice, by what they must say; spaces at the end tell the same answers apart."""


@pytest.mark.parametrize("says", MUTANTS)
def test_a_mutant_is_told(says: str, manifests: list[Manifest]) -> None:
    broken = deepcopy(manifests)
    MUTANTS[says](broken)
    assert any(says.strip() in each for each in findings(broken))


def test_compose_runs_every_room_once(compose: dict[str, Any]) -> None:
    commands = {name: service["command"] for name, service in compose["services"].items() if "command" in service}
    assert commands == {"migrate": ["migrate"], **{room: ["serve", room] for room in ALL}}
    for room, port in PORTS.items():
        assert f"'http://127.0.0.1:{port}/readyz'" in compose["services"][room]["healthcheck"]["test"][-1]


def test_compose_gives_known_settings_and_no_secret_in_clear(compose: dict[str, Any]) -> None:
    for room in ("migrate", *ALL):
        service = compose["services"][room]
        given = set(service["environment"])
        assert list(wrong_settings(given, given)) == []
        for variable in given:
            if variable.endswith("_FILE"):
                assert service["environment"][variable].removeprefix("/run/secrets/") in service["secrets"]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert int(service["stop_grace_period"][:-1]) > Settings.model_fields["shutdown_seconds"].default


def test_the_secrets_of_compose_are_made_by_its_script(compose: dict[str, Any]) -> None:
    script = (DEPLOY / "secrets.sh").read_text()
    for secret in compose["secrets"].values():
        assert f"> {secret['file'].removeprefix('./')}\n" in script


def test_prometheus_asks_every_room() -> None:
    (job,) = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text())["scrape_configs"]
    targets = {each["labels"]["room"]: each["targets"] for each in job["static_configs"]}
    assert targets == {room: [f"{room}:{port}"] for room, port in PORTS.items()}
    assert job["metrics_path"] == "/metrics"


def test_the_image_holds_what_runs() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    exposed = re.findall(r"^EXPOSE (.*)$", text, re.MULTILINE)
    assert exposed == [" ".join(str(port) for port in (PORT_OF_ALL, *PORTS.values()))]
    copied = set(re.findall(r"^COPY (\w+) \1$", text, re.MULTILINE))
    assert copied == {"services", *ALL, "policies"}
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert text.count("--require-hashes") == 2
    assert set(re.findall(r"HUIFANG_\w+", text)) <= {"HUIFANG_" + name.upper() for name in Settings.model_fields}
    sent = set(re.findall(r"^!(\S+)$", (DEPLOY / "Containerfile.dockerignore").read_text(), re.MULTILINE))
    named = {name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE) for name in line.split()}
    assert sent == named


def test_one_version_everywhere(compose: dict[str, Any], manifests: list[Manifest]) -> None:
    images = {container["image"] for each in manifests for container in pod_of(each).get("containers", ())}
    assert images == {f"huifang:{VERSION}"} == {compose["services"][room]["image"] for room in ("migrate", *ALL)}
    kafka = re.search(r"<kafka.version>(.+)</kafka.version>", (DEPLOY / "kafka" / "pom.xml").read_text())
    assert kafka
    assert compose["services"]["kafka"]["image"] == f"docker.io/apache/kafka:{kafka[1]}"


def test_topics_and_their_readers_are_those_of_the_code(compose: dict[str, Any], manifests: list[Manifest]) -> None:
    told = yaml.safe_load((DEPLOY / "kafka" / "topics.yaml").read_text())
    flow: dict[str, dict[str, list[str]]] = {}
    for wire in WIRES:
        topic = flow.setdefault(wire.topic, {"written_by": [], "read_by": []})
        topic["written_by"] += [room for room in wire.said_by if room not in topic["written_by"]]
        topic["read_by"] += [room for room in wire.heard_by if room not in topic["read_by"]]
    assert {name: {k: set(v) for k, v in topic.items()} for name, topic in told["topics"].items()} == {
        name: {k: set(v) for k, v in topic.items()} for name, topic in flow.items()
    }
    assert told["groups"] == [f"huifang.{room}" for room in ALL if heard_by(room)]
    assert DEAD == ".dead"
    partitions = {
        str(told["partitions"]),
        str(Settings.model_fields["kafka_partitions"].default),
        compose["services"]["ingest"]["environment"]["HUIFANG_KAFKA_PARTITIONS"],
        _settings(manifests)["HUIFANG_KAFKA_PARTITIONS"],
    }
    assert len(partitions) == 1


def test_gateway_and_ingress_lead_alike(manifests: list[Manifest]) -> None:
    assert ingress_paths(find(manifests, "Ingress", "huifang")["spec"]) == _gateway()


async def test_every_path_leads_to_the_room_that_answers_it(house: House) -> None:
    gateway = _gateway()
    answering: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        for name in ALL:
            room = await stack.enter_async_context(import_module(f"{name}.app").open_room(house))
            routes = [*room.routes, *(route for router in room.routers for route in router.routes)]
            answering |= {route.path: name for route in routes}
    assert {path: room_behind(gateway, path) for path in answering} == answering
    unused = {prefix for prefix in gateway if not any(room_behind({prefix: "x"}, path) for path in answering)}
    assert unused == set(), "led somewhere and answered by nobody"


def _gateway() -> dict[str, str]:
    text = (DEPLOY / "gateway.conf").read_text()
    rooms = {f"${room}": room for room in re.findall(r"set \$(\w+) http://\1:\d+;", text)}
    assert {room: int(port) for room, port in re.findall(r"set \$(\w+) http://\w+:(\d+);", text)} == dict(PORTS)
    return {path: rooms[room] for path, room in re.findall(r"location \^~ (\S+) \{ proxy_pass (\$\w+); \}", text)}
