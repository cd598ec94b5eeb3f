"""The columns of `kubectl get` for the main kinds, as the real server prints them; the others show name and age.

Each column is a pure function of an object. `table` puts them together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from groundplan_sandbox.kubernetes.kinds import Object
from groundplan_sandbox.kubernetes.metadata import age_in_seconds, condition_of, is_deleting, is_ready

_NONE = "<none>"


@dataclass(frozen=True, kw_only=True)
class Column:
    """`wide` columns show with `-o wide` only."""

    name: str
    cell: Callable[[Object], Any]
    type: str = "string"
    wide: bool = False


def _at(path: str, default: Any = _NONE) -> Callable[[Object], Any]:
    def read(item: Object) -> Any:
        value: Any = item
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return default if value is None else value

    return read


def _duration(text: str | None) -> str:
    if text is None:
        return "<unknown>"
    seconds = max(0, int(age_in_seconds(text)))
    if seconds < 120:
        return f"{seconds}s"
    if seconds < 3 * 3600:
        return f"{seconds // 60}m"
    return f"{seconds // 3600}h" if seconds < 2 * 86400 else f"{seconds // 86400}d"


def _age(item: Object) -> str:
    return _duration(item["metadata"].get("creationTimestamp"))


def _count(path: str) -> Callable[[Object], int]:
    return lambda item: len(_at(path, ())(item))


def _number(name: str, path: str) -> Column:
    return Column(name=name, cell=_at(path, 0), type="integer")


def _containers(item: Object) -> list[Object]:
    spec = item["spec"].get("template", item).get("spec", item["spec"])
    return list(spec.get("containers") or [])


def _selector(item: Object) -> str:
    selector = item["spec"].get("selector") or {}
    labels = selector.get("matchLabels", selector)
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or _NONE


_NAME = Column(name="Name", cell=_at("metadata.name"))
_AGE = Column(name="Age", cell=_age)
_CONTAINERS = Column(name="Containers", cell=lambda item: ",".join(c["name"] for c in _containers(item)), wide=True)
_IMAGES = Column(name="Images", cell=lambda item: ",".join(c["image"] for c in _containers(item)), wide=True)
_SELECTOR = Column(name="Selector", cell=_selector, wide=True)
PLAIN = (_NAME, _AGE)


def _pod_ready(item: Object) -> str:
    statuses = _at("status.containerStatuses", ())(item)
    return f"{sum(each['ready'] for each in statuses)}/{len(item['spec']['containers'])}"


def pod_status(item: Object) -> str:
    """The word in the STATUS column: what the containers wait for, Terminating, Completed, or the phase."""
    if is_deleting(item):
        return "Terminating"
    for status in _at("status.containerStatuses", ())(item):
        if "waiting" in status["state"]:
            return str(status["state"]["waiting"]["reason"])
    phase = str(_at("status.phase", "Unknown")(item))
    return "Completed" if phase == "Succeeded" else phase


def _node_status(item: Object) -> str:
    ready = "Ready" if is_ready(item) else "NotReady"
    return ready + (",SchedulingDisabled" if item.get("spec", {}).get("unschedulable") else "")


def _node_roles(item: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = item["metadata"].get("labels") or {}
    return ",".join(sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))) or _NONE


def _node_address(kind: str) -> Callable[[Object], str]:
    def read(item: Object) -> str:
        addresses = _at("status.addresses", ())(item)
        return next((each["address"] for each in addresses if each["type"] == kind), _NONE)

    return read


def _service_ports(item: Object) -> str:
    texts = []
    for port in item["spec"].get("ports") or []:
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        texts.append(f"{port['port']}{node}/{port['protocol']}")
    return ",".join(texts) or _NONE


def _ingress_addresses(item: Object) -> str:
    found = _at("status.loadBalancer.ingress", ())(item)
    return ",".join(each.get("ip") or each.get("hostname", "") for each in found)


def _external(item: Object) -> str:
    if item["spec"]["type"] == "ExternalName":
        return str(item["spec"].get("externalName"))
    return _ingress_addresses(item) or ("<pending>" if item["spec"]["type"] == "LoadBalancer" else _NONE)


def _hosts(item: Object) -> str:
    return ",".join(rule.get("host", "*") for rule in _at("spec.rules", ())(item)) or "*"


def _endpoints(item: Object) -> str:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in item.get("subsets") or []
        for address in subset.get("addresses") or []
        for port in subset.get("ports") or []
    ]
    return ",".join(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "") or _NONE


def _job_status(item: Object) -> str:
    for name, shown in (("Complete", "Complete"), ("Failed", "Failed"), ("Suspended", "Suspended")):
        found = condition_of(item, name)
        if found and found["status"] == "True":
            return shown
    return "Running"


def _event_object(item: Object) -> str:
    involved = item["involvedObject"]
    return f"{involved['kind'].lower()}/{involved['name']}"


def _ready_of(wanted: str) -> Column:
    ready = _at("status.readyReplicas", 0)
    return Column(name="Ready", cell=lambda item: f"{ready(item)}/{_at(wanted, 0)(item)}")


COLUMNS: dict[str, tuple[Column, ...]] = {
    "Pod": (
        _NAME,
        Column(name="Ready", cell=_pod_ready),
        Column(name="Status", cell=pod_status),
        Column(name="Restarts", cell=lambda item: "0"),
        _AGE,
        Column(name="IP", cell=_at("status.podIP"), wide=True),
        Column(name="Node", cell=_at("spec.nodeName"), wide=True),
        Column(name="Nominated Node", cell=_at("status.nominatedNodeName"), wide=True),
        Column(name="Readiness Gates", cell=lambda item: _NONE, wide=True),
    ),
    "Deployment": (
        _NAME,
        _ready_of("spec.replicas"),
        _number("Up-to-date", "status.updatedReplicas"),
        _number("Available", "status.availableReplicas"),
        _AGE,
        _CONTAINERS,
        _IMAGES,
        _SELECTOR,
    ),
    "ReplicaSet": (
        _NAME,
        _number("Desired", "spec.replicas"),
        _number("Current", "status.replicas"),
        _number("Ready", "status.readyReplicas"),
        _AGE,
        _CONTAINERS,
        _IMAGES,
        _SELECTOR,
    ),
    "StatefulSet": (_NAME, _ready_of("spec.replicas"), _AGE, _CONTAINERS, _IMAGES),
    "DaemonSet": (
        _NAME,
        _number("Desired", "status.desiredNumberScheduled"),
        _number("Current", "status.currentNumberScheduled"),
        _number("Ready", "status.numberReady"),
        _number("Up-to-date", "status.updatedNumberScheduled"),
        _number("Available", "status.numberAvailable"),
        Column(name="Node Selector", cell=lambda item: _NONE),
        _AGE,
        _CONTAINERS,
        _IMAGES,
        _SELECTOR,
    ),
    "Job": (
        _NAME,
        Column(name="Status", cell=_job_status),
        Column(
            name="Completions",
            cell=lambda item: f"{_at('status.succeeded', 0)(item)}/{_at('spec.completions', 1)(item)}",
        ),
        _AGE,
        _CONTAINERS,
        _IMAGES,
        _SELECTOR,
    ),
    "Service": (
        _NAME,
        Column(name="Type", cell=_at("spec.type")),
        Column(name="Cluster-IP", cell=_at("spec.clusterIP")),
        Column(name="External-IP", cell=_external),
        Column(name="Port(s)", cell=_service_ports),
        _AGE,
        _SELECTOR,
    ),
    "Endpoints": (_NAME, Column(name="Endpoints", cell=_endpoints), _AGE),
    "ConfigMap": (_NAME, Column(name="Data", cell=_count("data"), type="integer"), _AGE),
    "Secret": (
        _NAME,
        Column(name="Type", cell=_at("type")),
        Column(name="Data", cell=_count("data"), type="integer"),
        _AGE,
    ),
    "ServiceAccount": (_NAME, Column(name="Secrets", cell=_count("secrets"), type="integer"), _AGE),
    "Namespace": (_NAME, Column(name="Status", cell=_at("status.phase")), _AGE),
    "Node": (
        _NAME,
        Column(name="Status", cell=_node_status),
        Column(name="Roles", cell=_node_roles),
        _AGE,
        Column(name="Version", cell=_at("status.nodeInfo.kubeletVersion")),
        Column(name="Internal-IP", cell=_node_address("InternalIP"), wide=True),
        Column(name="OS-Image", cell=_at("status.nodeInfo.osImage"), wide=True),
    ),
    "PersistentVolumeClaim": (
        _NAME,
        Column(name="Status", cell=_at("status.phase")),
        Column(name="Volume", cell=_at("spec.volumeName", "")),
        Column(name="Capacity", cell=_at("status.capacity.storage", "")),
        Column(name="Access Modes", cell=lambda item: ",".join(item["spec"].get("accessModes") or [])),
        Column(name="StorageClass", cell=_at("spec.storageClassName")),
        _AGE,
    ),
    "Ingress": (
        _NAME,
        Column(name="Class", cell=_at("spec.ingressClassName")),
        Column(name="Hosts", cell=_hosts),
        Column(name="Address", cell=_ingress_addresses),
        Column(name="Ports", cell=lambda item: "80, 443" if _at("spec.tls", ())(item) else "80"),
        _AGE,
    ),
    "Event": (
        Column(name="Last Seen", cell=lambda item: _duration(item.get("lastTimestamp"))),
        Column(name="Type", cell=_at("type")),
        Column(name="Reason", cell=_at("reason")),
        Column(name="Object", cell=_event_object),
        Column(name="Message", cell=_at("message")),
    ),
}
