"""What a fresh cluster holds: namespaces, its node (`nodes`), storage class, the `kubernetes` service, admin's RBAC.

Safe to run on a cluster that was loaded: what is there stays, and the API's own address is brought up to date.
"""

from __future__ import annotations

from groundplan_sandbox.kubernetes.api import Api, Options
from groundplan_sandbox.kubernetes.kinds import (
    ENDPOINTS,
    NAMESPACE,
    SERVICE,
    STORAGE_CLASS,
    Kind,
    Object,
    kind_named,
)
from groundplan_sandbox.kubernetes.nodes import ensure_node

NODE_NAME = "minikube"
NODE_ROLE = {"node-role.kubernetes.io/control-plane": ""}
_OPTIONS = Options(manager="kube-apiserver")
_ROLES = ("cluster-admin", "admin", "edit", "view")


def populate(api: Api, address: str, port: int, *, own_node: bool = True) -> None:
    """Make what every cluster has. address, port: where this server listens. own_node: whether it is a node too."""
    for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
        _ensure(api, NAMESPACE, {"metadata": {"name": name}})
    if own_node:
        ensure_node(api, NODE_NAME, address, NODE_ROLE)
    _rbac(api)
    provisioner = {"provisioner": "groundplan.sandbox/none", "reclaimPolicy": "Delete"}
    default = {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    _ensure(api, STORAGE_CLASS, {"metadata": default, **provisioner})
    _kubernetes_service(api, address, port)


def _ensure(api: Api, kind: Kind, body: Object) -> Object:
    namespace = "default" if kind.namespaced else ""
    found = api.store.get(kind, namespace, body["metadata"]["name"])
    return found or api.create(kind, namespace, body, _OPTIONS)


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
