"""Kubernetes manifests as values: rendered, and judged by the rules of this project."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from services.run import PORTS
from services.settings import PREFIX, Settings

Manifest = dict[str, Any]

FILE = "_FILE"
SECRETS = frozenset(name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation))
NEEDED = frozenset(name for name, field in Settings.model_fields.items() if field.is_required())
POD_FIELDS_REFUSED = ("hostNetwork", "hostPID", "hostIPC", "hostUsers")
INSIDE = ("/metrics", "/livez", "/readyz")


def render(base: Path) -> list[Manifest]:
    """What `kubectl kustomize` makes of a base; without kubectl the same for the little that the base asks for."""
    if shutil.which("kubectl"):
        done = subprocess.run(["kubectl", "kustomize", base], check=True, capture_output=True, text=True)
        return [each for each in yaml.safe_load_all(done.stdout) if each]
    return render_plainly(base)


def render_plainly(base: Path) -> list[Manifest]:
    """Resources, namespace, labels and image tags of a kustomization. Raises `ValueError` for anything further."""
    asked = yaml.safe_load((base / "kustomization.yaml").read_text())
    if unknown := set(asked) - {"apiVersion", "kind", "namespace", "resources", "images", "labels"}:
        raise ValueError(f"cannot render {sorted(unknown)} without kubectl")
    tags = {image["name"]: image["newTag"] for image in asked["images"]}
    labels = {name: value for group in asked["labels"] for name, value in group["pairs"].items()}
    texts = [(base / name).read_text() for name in asked["resources"]]
    # Read from a copy each time: what an anchor shares in the file must not be shared in memory.
    manifests = [yaml.safe_load(yaml.dump(each, Dumper=_Plain)) for text in texts for each in yaml.safe_load_all(text)]
    for manifest in manifests:
        manifest["metadata"].setdefault("labels", {}).update(labels)
        if manifest["kind"] != "Namespace":
            manifest["metadata"]["namespace"] = asked["namespace"]
        for container in pod_of(manifest).get("containers", ()):
            name = container["image"].partition(":")[0]
            container["image"] = f"{name}:{tags[name]}"
    return manifests


def pod_of(manifest: Manifest) -> Manifest:
    """The pod that a manifest makes, or nothing."""
    spec: Manifest = manifest.get("spec", {})
    pod: Manifest = spec.get("template", {}).get("spec", {})
    return pod


def find(manifests: Sequence[Manifest], kind: str, name: str) -> Manifest:
    """One manifest. Raises `LookupError` where it is missing."""
    for each in manifests:
        if (each["kind"], each["metadata"]["name"]) == (kind, name):
            return each
    raise LookupError(f"no {kind} {name}")


def findings(manifests: Sequence[Manifest]) -> list[str]:
    """What is wrong with the manifests together."""
    found: list[str] = []
    for manifest in manifests:
        name = f"{manifest['kind']} {manifest['metadata']['name']}"
        found += [f"{name}: {each}" for each in _wrong_alone(manifest)]
        if pod := pod_of(manifest):
            found += [f"{name}: {each}" for each in [*_wrong_pod(pod), *_wrong_settings(pod, manifests)]]
    for room, port in PORTS.items():
        try:
            found += [f"room {room}: {each}" for each in _wrong_room(room, port, manifests)]
        except LookupError as error:
            found.append(f"room {room}: {error}")
    if not any(_denies_everything(each) for each in manifests):
        found.append("no NetworkPolicy denies everything by default")
    return found


def _wrong_alone(manifest: Manifest) -> Iterator[str]:
    spec = manifest.get("spec", {})
    match manifest["kind"]:
        case "Secret":
            yield "a secret in the repository"
        case "Namespace":
            if manifest["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
                yield "does not enforce restricted pods"
        case "ServiceAccount":
            if manifest.get("automountServiceAccountToken") is not False:
                yield "mounts its token"
        case "Job":
            if not spec.get("activeDeadlineSeconds") or spec.get("backoffLimit") is None:
                yield "has no end"
        case "Ingress":
            if not spec.get("tls"):
                yield "without TLS"
            yield from (f"{path} is reachable from outside" for path in INSIDE if _room_behind(spec, path))


def _wrong_pod(pod: Manifest) -> Iterator[str]:
    context = pod.get("securityContext", {})
    if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
        yield "may run as root"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "without the runtime's seccomp profile"
    if pod.get("automountServiceAccountToken") is not False or pod.get("serviceAccountName") != "huifang":
        yield "has a token for the cluster"
    if pod.get("enableServiceLinks") is not False:
        yield "Services become variables like settings"
    yield from (f"sets {name}" for name in POD_FIELDS_REFUSED if pod.get(name))
    for volume in pod.get("volumes", ()):
        if "hostPath" in volume or ("emptyDir" in volume and not volume["emptyDir"].get("sizeLimit")):
            yield f"volume {volume['name']} reaches the node or has no limit"
        if volume.get("secret", {}).get("defaultMode", 0o440) & 0o007:
            yield f"volume {volume['name']}: everybody may read the secrets"
    for container in [*pod.get("containers", ()), *pod.get("initContainers", ())]:
        yield from _wrong_container(container)


def _wrong_container(container: Manifest) -> Iterator[str]:
    context = container.get("securityContext", {})
    if context.get("privileged") or context.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if context.get("readOnlyRootFilesystem") is not True:
        yield "may write to its root filesystem"
    if context.get("capabilities", {}) != {"drop": ["ALL"]}:
        yield "keeps capabilities"
    if context.get("runAsUser") == 0 or context.get("runAsNonRoot") is False:
        yield "may run as root"
    resources = container.get("resources", {})
    if not {"cpu", "memory"} <= set(resources.get("requests", {})) or "memory" not in resources.get("limits", {}):
        yield "without requests and a memory limit"
    tag = container["image"].rpartition(":")[2]
    if ":" not in container["image"] or tag in {"latest", ""}:
        yield f"image {container['image']} is not pinned"
    if any("hostPort" in port for port in container.get("ports", ())):
        yield "takes a port of the node"


def _wrong_settings(pod: Manifest, manifests: Sequence[Manifest]) -> Iterator[str]:
    for container in pod["containers"]:
        plain = {each["name"] for each in container.get("env", ()) if "value" in each}
        given = {each["name"] for each in container.get("env", ())}
        for source in container.get("envFrom", ()):
            data = find(manifests, "ConfigMap", source["configMapRef"]["name"])["data"]
            plain |= set(data)
            given |= set(data)
        yield from wrong_settings(given, plain)


def wrong_settings(given: set[str], plain: set[str]) -> Iterator[str]:
    """What is wrong with the names of a process's variables, of which `plain` stand readable in the manifest."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in sorted(given):
        if name.startswith(PREFIX) and name.removesuffix(FILE) not in known:
            yield f"{name} is no setting"
    secrets = {PREFIX + name.upper() for name in SECRETS}
    yield from (f"{name} stands in clear" for name in sorted(plain & secrets))
    found = {name.removesuffix(FILE) for name in given}
    yield from (f"{PREFIX}{name.upper()} is missing" for name in sorted(NEEDED) if PREFIX + name.upper() not in found)


def _wrong_room(room: str, port: int, manifests: Sequence[Manifest]) -> Iterator[str]:
    deployment = find(manifests, "Deployment", room)
    spec, pod = deployment["spec"], pod_of(deployment)
    container = pod["containers"][0]
    labels = spec["template"]["metadata"]["labels"]
    if container.get("args") != ["serve", room]:
        yield f"runs {container.get('args')}"
    if container.get("ports") != [{"name": "http", "containerPort": port}]:
        yield f"does not open {port}"
    notes = spec["template"]["metadata"].get("annotations", {})
    scraped = [notes.get(f"prometheus.io/{name}") for name in ("scrape", "port", "path")]
    if scraped != ["true", str(port), "/metrics"]:
        yield f"is scraped at {scraped}"
    for probe, path in (("startup", "/livez"), ("liveness", "/livez"), ("readiness", "/readyz")):
        if container.get(f"{probe}Probe", {}).get("httpGet") != {"path": path, "port": "http"}:
            yield f"{probe} does not ask {path}"
    yield from _wrong_life(spec, pod, container, manifests)
    service = find(manifests, "Service", room)["spec"]
    if service["ports"] != [{"name": "http", "port": port, "targetPort": "http"}] or service["selector"] != labels:
        yield "its Service leads elsewhere"
    if spec["selector"]["matchLabels"] != labels:
        yield "its Deployment looks after other pods"
    budget = find(manifests, "PodDisruptionBudget", room)["spec"]
    if budget["selector"]["matchLabels"] != labels or not 1 <= budget.get("minAvailable", 0) < spec["replicas"]:
        yield "its budget lets none go, or all"


def _wrong_life(spec: Manifest, pod: Manifest, container: Manifest, manifests: Sequence[Manifest]) -> Iterator[str]:
    partitions = int(find(manifests, "ConfigMap", "huifang")["data"]["HUIFANG_KAFKA_PARTITIONS"])
    surge = spec.get("strategy", {}).get("rollingUpdate", {})
    if not 2 <= spec["replicas"] <= partitions - surge.get("maxSurge", 1):
        yield f"{spec['replicas']} replicas for {partitions} partitions"
    if surge.get("maxUnavailable") != 0:
        yield "is less than whole during an update"
    pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    if (
        not pause
        or pod.get("terminationGracePeriodSeconds", 30) < pause + Settings.model_fields["shutdown_seconds"].default
    ):
        yield "is killed before it has stopped"


def _denies_everything(manifest: Manifest) -> bool:
    everything = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return manifest["kind"] == "NetworkPolicy" and bool(manifest["spec"] == everything)


def _room_behind(ingress: Manifest, path: str) -> str | None:
    return room_behind(ingress_paths(ingress), path)


def ingress_paths(ingress: Manifest) -> dict[str, str]:
    """Which room an Ingress leads to, by path prefix."""
    paths = [path for rule in ingress["rules"] for path in rule["http"]["paths"]]
    return {path["path"]: path["backend"]["service"]["name"] for path in paths}


def room_behind(prefixes: dict[str, str], path: str) -> str | None:
    """The room to which a path leads: the longest prefix wins."""
    fitting = [prefix for prefix in prefixes if f"{path}/".startswith(prefix.rstrip("/") + "/")]
    return prefixes[max(fitting, key=len)] if fitting else None


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True
