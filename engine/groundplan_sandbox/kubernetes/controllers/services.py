"""Services: the pods behind them as Endpoints and EndpointSlice, and an address for LoadBalancers and Ingresses.

Cluster addresses and node ports are given at admission. No traffic is forwarded: the addresses of pods answer nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from groundplan_sandbox.kubernetes.api import Api, Options
from groundplan_sandbox.kubernetes.controllers.children import key_of
from groundplan_sandbox.kubernetes.controllers.queue import Key
from groundplan_sandbox.kubernetes.kinds import ENDPOINT_SLICE, ENDPOINTS, INGRESS, POD, SERVICE, Kind, Object
from groundplan_sandbox.kubernetes.metadata import is_deleting, is_ready, owner_reference
from groundplan_sandbox.kubernetes.store import Change, ChangeType, name_of, namespace_of

_OPTIONS = Options(manager="kube-controller-manager")
_STATUS = Options(manager="kube-controller-manager", subresource="status")


class LoadBalancerController:
    """Gives Services of type LoadBalancer, and Ingresses, the server's own address."""

    def __init__(self, api: Api, kind: Kind, address: str) -> None:
        self._api = api
        self._kind = kind
        self._address = address

    def affected(self, change: Change) -> Iterable[Key]:
        if change.kind is self._kind and change.type is not ChangeType.DELETED:
            yield key_of(change.object)

    def reconcile(self, key: Key) -> float | None:
        item = self._api.store.get(self._kind, *key)
        if item is None or is_deleting(item):
            return None
        balanced = self._kind is INGRESS or item["spec"]["type"] == "LoadBalancer"
        wanted: Object = {"ingress": [{"ip": self._address}]} if balanced else {}
        if balanced and self._kind is SERVICE:
            wanted["ingress"][0]["ipMode"] = "VIP"
        self._api.modify(
            self._kind, item, lambda fresh: fresh.setdefault("status", {}).update(loadBalancer=wanted), _STATUS
        )
        return None


class EndpointsController:
    def __init__(self, api: Api) -> None:
        self._api = api

    def affected(self, change: Change) -> Iterable[Key]:
        if change.kind is SERVICE:
            yield key_of(change.object)
        elif change.kind is POD:
            for service in self._api.store.select(SERVICE, namespace_of(change.object)):
                if any(_selects(service, pod) for pod in (change.object, change.previous)):
                    yield key_of(service)

    def reconcile(self, key: Key) -> float | None:
        service = self._api.store.get(SERVICE, *key)
        if service is None:
            self._remove(ENDPOINTS, key)
        elif service["spec"].get("selector") and service["spec"]["type"] != "ExternalName":
            self._publish(service)
        return None

    def _remove(self, kind: Kind, key: Key) -> None:
        if self._api.store.get(kind, *key):
            self._api.delete(kind, *key, _OPTIONS)

    def _publish(self, service: Object) -> None:
        pods = [
            pod
            for pod in self._api.store.select(POD, namespace_of(service))
            if _selects(service, pod) and not is_deleting(pod) and pod["status"].get("podIP")
        ]
        labels = dict(service["metadata"].get("labels") or {})
        metadata = {"name": name_of(service), "labels": labels}
        self._write(ENDPOINTS, service, {"metadata": metadata, "subsets": _subsets(service, pods)})
        self._write(ENDPOINT_SLICE, service, _slice(service, pods, labels))

    def _write(self, kind: Kind, service: Object, body: Object) -> None:
        namespace, name = namespace_of(service), body["metadata"]["name"]
        found = self._api.store.get(kind, namespace, name)
        if found is None:
            self._api.create(kind, namespace, body, _OPTIONS)
            return

        def edit(fresh: Object) -> None:
            fresh |= {key: value for key, value in body.items() if key != "metadata"}
            fresh["metadata"] |= body["metadata"]

        self._api.modify(kind, found, edit, _OPTIONS)


def _selects(service: Object, pod: Object | None) -> bool:
    selector = service["spec"].get("selector")
    if pod is None or not selector:
        return False
    labels = pod["metadata"].get("labels") or {}
    return all(labels.get(name) == value for name, value in selector.items())


def _ports(service: Object, pods: list[Object]) -> list[Object]:
    """The ports behind a service: a named target is looked up in the pods."""
    found = []
    for port in service["spec"].get("ports") or []:
        number = _target(port["targetPort"], pods)
        if number is not None:
            name = {"name": port["name"]} if port.get("name") else {}
            found.append({**name, "port": number, "protocol": port["protocol"]})
    return found


def _target(target: int | str, pods: list[Object]) -> int | None:
    if isinstance(target, int):
        return target
    for pod in pods:
        for container in pod["spec"]["containers"]:
            for port in container.get("ports") or []:
                if port.get("name") == target:
                    return int(port["containerPort"])
    return None


def _address(pod: Object) -> Object:
    reference = {"kind": "Pod", "namespace": namespace_of(pod), "name": name_of(pod), "uid": pod["metadata"]["uid"]}
    return {"ip": pod["status"]["podIP"], "nodeName": pod["spec"]["nodeName"], "targetRef": reference}


def _subsets(service: Object, pods: list[Object]) -> list[Object]:
    if not pods:
        return []
    ready = [_address(pod) for pod in pods if is_ready(pod)]
    waiting = [_address(pod) for pod in pods if not is_ready(pod)]
    subset: Object = {"ports": _ports(service, pods)}
    subset |= {"addresses": ready} if ready else {}
    return [subset | ({"notReadyAddresses": waiting} if waiting else {})]


def _slice(service: Object, pods: list[Object], labels: Object) -> Object:
    endpoints = []
    for pod in pods:
        address = _address(pod)
        ready = is_ready(pod)
        conditions = {"ready": ready, "serving": ready, "terminating": False}
        endpoint = {"addresses": [address.pop("ip")], "conditions": conditions}
        endpoints.append(endpoint | address)
    name = f"{name_of(service)}-{zlib.crc32(service['metadata']['uid'].encode()) % 10**5:05}"
    named = {"kubernetes.io/service-name": name_of(service)}
    named["endpointslice.kubernetes.io/managed-by"] = "endpointslice-controller.k8s.io"
    owners = [owner_reference(SERVICE, service)]
    metadata = {"name": name, "labels": labels | named, "ownerReferences": owners}
    return {"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints, "ports": _ports(service, pods)}
