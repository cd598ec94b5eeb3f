"""What a fresh cluster holds: its namespaces, its node, its storage class, the `kubernetes` service, admin's RBAC.

Safe to run on a cluster that was loaded: what is there stays, and the API's own address is brought up to date.
"""

from __future__ import annotations

from groundplan_sandbox.kubernetes.api import Api, Options
from groundplan_sandbox.kubernetes.discovery import GIT_VERSION
from groundplan_sandbox.kubernetes.kinds import (
    ENDPOINTS,
    NAMESPACE,
    NODE,
    SERVICE,
    STORAGE_CLASS,
    Kind,
    Object,
    kind_named,
)

NODE_NAME = "minikube"
_OPTIONS = Options(manager="kube-apiserver")
_ROLES = ("cluster-admin", "admin", "edit", "view")
_READY = {
    "type": "Ready",
    "status": "True",
    "reason": "SandboxNode",
    "message": "Ready is the sandbox's word: no kubelet runs",
}


def populate(api: Api, address: str, port: int) -> None:
    """Make what every cluster has. address, port: where this server listens."""
    for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
        _ensure(api, NAMESPACE, {"metadata": {"name": name}})
    _node(api, address)
    _rbac(api)
    provisioner = {"provisioner": "groundplan.sandbox/none", "reclaimPolicy": "Delete"}
    default = {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    _ensure(api, STORAGE_CLASS, {"metadata": default, **provisioner})
    _kubernetes_service(api, address, port)


def _ensure(api: Api, kind: Kind, body: Object) -> Object:
    namespace = "default" if kind.namespaced else ""
    found = api.store.get(kind, namespace, body["metadata"]["name"])
    return found or api.create(kind, namespace, body, _OPTIONS)


def _node(api: Api, address: str) -> None:
    labels = {
        "kubernetes.io/hostname": NODE_NAME,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node-role.kubernetes.io/control-plane": "",
    }
    node = _ensure(api, NODE, {"metadata": {"name": NODE_NAME, "labels": labels}, "spec": {}})
    room = {"cpu": "8", "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    since = node["metadata"]["creationTimestamp"]
    condition = _READY | {"lastTransitionTime": since, "lastHeartbeatTime": since}
    status = {
        "capacity": room,
        "allocatable": room,
        "conditions": [condition],
        "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": NODE_NAME}],
        "nodeInfo": {
            "kubeletVersion": GIT_VERSION,
            "osImage": "Groundplan sandbox",
            "architecture": "amd64",
            "operatingSystem": "linux",
            **dict.fromkeys(("machineID", "systemUUID", "bootID", "kernelVersion", "kubeProxyVersion"), ""),
            "containerRuntimeVersion": "none://",
        },
    }
    options = Options(manager="kubelet", subresource="status")
    api.modify(NODE, node, lambda fresh: fresh.update(status=status), options)


def _rbac(api: Api) -> None:
    role, binding = (kind_named("rbac.authorization.k8s.io/v1", name) for name in ("ClusterRole", "ClusterRoleBinding"))
    assert role is not None
    assert binding is not None
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    for name in _ROLES:
        _ensure(api, role, {"metadata": {"name": name}, "rules": [everything]})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    masters = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:masters"}
    _ensure(api, binding, {"metadata": {"name": "cluster-admin"}, "roleRef": reference, "subjects": [masters]})


def _kubernetes_service(api: Api, address: str, port: int) -> None:
    labels = {"component": "apiserver", "provider": "kubernetes"}
    ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}]
    spec = {"type": "ClusterIP", "clusterIP": "10.96.0.1", "ports": ports}
    _ensure(api, SERVICE, {"metadata": {"name": "kubernetes", "labels": labels}, "spec": spec})
    subset = {"addresses": [{"ip": address}], "ports": [{"name": "https", "port": port, "protocol": "TCP"}]}
    endpoints = _ensure(api, ENDPOINTS, {"metadata": {"name": "kubernetes"}})
    api.modify(ENDPOINTS, endpoints, lambda fresh: fresh.update(subsets=[subset]), _OPTIONS)
