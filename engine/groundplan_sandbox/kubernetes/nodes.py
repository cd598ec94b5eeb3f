"""Nodes: the one a small cluster is itself, and those that node groups bring and take away.

No kubelet runs behind a node; that it is Ready is the sandbox's word. Which pod gets which node is for the pods'
controller.
"""

from __future__ import annotations

from collections.abc import Mapping

from groundplan_sandbox.kubernetes.api import Api, Options
from groundplan_sandbox.kubernetes.discovery import GIT_VERSION
from groundplan_sandbox.kubernetes.kinds import NODE, POD, Object
from groundplan_sandbox.kubernetes.store import name_of, namespace_of

_OPTIONS = Options(manager="kube-controller-manager")
_KUBELET = Options(manager="kubelet", subresource="status")
_ROOM = {"cpu": "8", "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi"}
_READY = {
    "type": "Ready",
    "status": "True",
    "reason": "SandboxNode",
    "message": "Ready is the sandbox's word: no kubelet runs",
}


def ensure_node(api: Api, name: str, address: str, labels: Mapping[str, str]) -> None:
    """The node `name` is there, Ready, with these labels besides its usual ones. address: its InternalIP."""
    wanted = node_labels(name, labels)
    node = api.store.get(NODE, "", name)
    if node is None:
        node = api.create(NODE, "", {"metadata": {"name": name, "labels": wanted}, "spec": {}}, _OPTIONS)
    else:
        node = api.modify(NODE, node, lambda fresh: fresh["metadata"].setdefault("labels", {}).update(wanted), _OPTIONS)
    status = node_status(node, name, address, GIT_VERSION)
    api.modify(NODE, node, lambda fresh: fresh.update(status=status), _KUBELET)


def remove_node(api: Api, name: str) -> None:
    """The node `name` is gone, and the pods on it with it."""
    if api.store.get(NODE, "", name) is None:
        return
    api.delete(NODE, "", name, _OPTIONS)
    for pod in list(api.store.select(POD, None)):
        if pod["spec"].get("nodeName") == name:
            api.delete(POD, namespace_of(pod), name_of(pod), _OPTIONS)


def node_labels(name: str, labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that every node has, with these."""
    usual = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    return usual | dict(labels)


def node_status(node: Object, name: str, address: str, version: str) -> Object:
    """The status of a node that is Ready and has room. version: that of its API server, `v1.34.2`."""
    since = node["metadata"]["creationTimestamp"]
    return {
        "capacity": _ROOM,
        "allocatable": _ROOM,
        "conditions": [_READY | {"lastTransitionTime": since, "lastHeartbeatTime": since}],
        "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
        "nodeInfo": {
            "kubeletVersion": version,
            "osImage": "Groundplan sandbox",
            "architecture": "amd64",
            "operatingSystem": "linux",
            **dict.fromkeys(("machineID", "systemUUID", "bootID", "kernelVersion", "kubeProxyVersion"), ""),
            "containerRuntimeVersion": "none://",
        },
    }
