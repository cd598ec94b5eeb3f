"""What the API server adds to an object from its surroundings: addresses, node ports, first status, bookkeeping.

Runs between `defaults` and `validation`. It reads the store and changes the object that it is given, never the store.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from groundplan_sandbox.kubernetes.definitions import CLEANUP
from groundplan_sandbox.kubernetes.kinds import POD, SERVICE, SERVICE_ACCOUNT, Kind, Object
from groundplan_sandbox.kubernetes.status import Cause, forbidden, invalid, invalid_value
from groundplan_sandbox.kubernetes.store import Store, name_of, namespace_of

SERVICE_NETWORK = ipaddress.ip_network("10.96.0.0/16")
NODE_PORTS = range(30000, 32768)


def admit(store: Store, kind: Kind, item: Object, old: Object | None) -> None:
    """Complete `item` in place. Raises ApiError 403 or 422 when its surroundings do not allow it."""
    step = _STEPS.get(kind.built_in)
    if step is not None:
        step(store, item, old)


def _pod(store: Store, item: Object, old: Object | None) -> None:
    if old is not None:
        return
    namespace, name = namespace_of(item), name_of(item)
    item["status"] = {"phase": "Pending", "qosClass": "BestEffort"}
    account = item["spec"].get("serviceAccountName", "default")
    if store.get(SERVICE_ACCOUNT, namespace, account) is None:
        why = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
        raise forbidden(POD, name, why)


def _namespace(store: Store, item: Object, old: Object | None) -> None:
    if old is None:
        item["status"] = {"phase": "Active"}


def _claim(store: Store, item: Object, old: Object | None) -> None:
    if old is None:
        item["status"] = {"phase": "Pending"}


def _volume(store: Store, item: Object, old: Object | None) -> None:
    if old is None:
        item["status"] = {"phase": "Available"}


def _job(store: Store, item: Object, old: Object | None) -> None:
    spec = item["spec"]
    if old is not None or spec.get("manualSelector"):
        return
    uid = item["metadata"]["uid"]
    labels = spec["template"]["metadata"].setdefault("labels", {})
    labels |= {"batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": item["metadata"]["name"]}
    labels |= {"controller-uid": uid, "job-name": item["metadata"]["name"]}
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}


def _definition(store: Store, item: Object, old: Object | None) -> None:
    if old is None:
        finalizers = item["metadata"].setdefault("finalizers", [])
        if CLEANUP not in finalizers:
            finalizers.append(CLEANUP)


def _service(store: Store, item: Object, old: Object | None) -> None:
    spec = item["spec"]
    if old is None:
        item["status"] = {"loadBalancer": {}}
    if spec["type"] == "ExternalName":
        for name in ("clusterIP", "clusterIPs"):
            spec.pop(name, None)
        return
    others = [each for each in store.select(SERVICE) if each["metadata"]["uid"] != item["metadata"]["uid"]]
    _cluster_ip(item, old, others)
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _node_ports(item, old, others)
    elif old is not None and old["spec"]["type"] != spec["type"]:
        for port in spec.get("ports") or []:
            port.pop("nodePort", None)


def _refuse(item: Object, cause: Cause) -> Exception:
    return invalid(SERVICE, item["metadata"]["name"], [cause])


def _cluster_ip(item: Object, old: Object | None, others: Iterable[Object]) -> None:
    spec = item["spec"]
    before = old["spec"].get("clusterIP") if old else None
    wanted = spec.get("clusterIP") or before
    if before and wanted != before:
        raise _refuse(item, invalid_value("spec.clusterIPs[0]", wanted, "may not change once set"))
    taken = {each["spec"].get("clusterIP") for each in others}
    if wanted and wanted != "None" and (wanted in taken or not _in_network(wanted)):
        why = "provided IP is already allocated" if wanted in taken else "provided IP is not in the valid range"
        raise _refuse(item, invalid_value("spec.clusterIPs", wanted, why))
    address = wanted or next(str(host) for host in SERVICE_NETWORK.hosts() if str(host) not in taken | _RESERVED)
    spec |= {"clusterIP": address, "clusterIPs": [address]}


_RESERVED = {"10.96.0.1", "10.96.0.10"}
"""`kubernetes.default` takes the first by name, the cluster's DNS would have the second."""


def _in_network(text: Any) -> bool:
    try:
        return ipaddress.ip_address(text) in SERVICE_NETWORK
    except ValueError:
        return False


def _node_ports(item: Object, old: Object | None, others: Iterable[Object]) -> None:
    taken = set(_ports_of(others))
    before = {(p["port"], p["protocol"]): p.get("nodePort") for p in (old or {}).get("spec", {}).get("ports") or []}
    for index, port in enumerate(item["spec"].get("ports") or []):
        wanted = port.get("nodePort") or before.get((port.get("port"), port["protocol"]))
        place = f"spec.ports[{index}].nodePort"
        if wanted and wanted not in NODE_PORTS:
            raise _refuse(item, invalid_value(place, wanted, "provided port is not in the valid range 30000-32767"))
        if wanted in taken:
            raise _refuse(item, invalid_value(place, wanted, "provided port is already allocated"))
        port["nodePort"] = wanted or next(number for number in NODE_PORTS if number not in taken)
        taken.add(port["nodePort"])


def _ports_of(services: Iterable[Object]) -> Iterator[int]:
    for each in services:
        for port in each["spec"].get("ports") or []:
            if port.get("nodePort"):
                yield port["nodePort"]


_STEPS: dict[str, Callable[[Store, Object, Object | None], None]] = {
    "Pod": _pod,
    "Namespace": _namespace,
    "PersistentVolumeClaim": _claim,
    "PersistentVolume": _volume,
    "Job": _job,
    "Service": _service,
    "CustomResourceDefinition": _definition,
}
