"""Which lists merge by key, which are sets and which maps and lists are replaced whole.

The rules are those of the built-in types of Kubernetes (`x-kubernetes-list-type`, `x-kubernetes-map-type`,
`x-kubernetes-patch-merge-key`), written as a table by field name. Strategic merge patches (`patches`) and
server-side apply (`fields`, `apply`) both read it; it changes nothing itself.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

Path = tuple[str, ...]
"""A place in an object in the notation of FieldsV1: `f:NAME` for a field, `k:{...}` for an item by its keys,
`v:VALUE` for a member of a set."""


class ListRule(Enum):
    ATOMIC = "atomic"
    SET = "set"


_POD_CONTAINERS = frozenset({"f:containers", "f:initContainers", "f:ephemeralContainers"})

_KEYED: dict[str, tuple[str, ...]] = {
    "f:containers": ("name",),
    "f:initContainers": ("name",),
    "f:ephemeralContainers": ("name",),
    "f:env": ("name",),
    "f:volumeMounts": ("mountPath",),
    "f:volumeDevices": ("devicePath",),
    "f:volumes": ("name",),
    "f:imagePullSecrets": ("name",),
    "f:secrets": ("name",),
    "f:hostAliases": ("ip",),
    "f:topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "f:schedulingGates": ("name",),
    "f:resourceClaims": ("name",),
    "f:conditions": ("type",),
    "f:ownerReferences": ("uid",),
    "f:podIPs": ("ip",),
    "f:hostIPs": ("ip",),
}
_KEY_DEFAULTS = {"protocol": "TCP"}
_SETS = frozenset({"f:finalizers"})
_ATOMIC_MAPS = frozenset(
    {
        "f:nodeSelector",
        "f:roleRef",
        "f:configMapKeyRef",
        "f:secretKeyRef",
        "f:fieldRef",
        "f:resourceFieldRef",
        "f:involvedObject",
        "f:claimRef",
        "f:targetRef",
        "f:podSelector",
        "f:namespaceSelector",
        "f:labelSelector",
    }
)


def list_rule(path: Path) -> tuple[str, ...] | ListRule:
    """How the list at `path` merges: the keys of its items, or SET, or ATOMIC."""
    last = path[-1] if path else ""
    if last in _SETS:
        return ListRule.SET
    if last == "f:ports":
        return _ports(path)
    return _KEYED.get(last, ListRule.ATOMIC)


def _ports(path: Path) -> tuple[str, ...] | ListRule:
    if len(path) >= 3 and path[-3] in _POD_CONTAINERS:
        return ("containerPort", "protocol")
    return ("port", "protocol") if path == ("f:spec", "f:ports") else ListRule.ATOMIC


def is_atomic_map(path: Path) -> bool:
    """Whether the map at `path` is owned and replaced as one value. Selectors below `spec` are."""
    return bool(path) and (path[-1] in _ATOMIC_MAPS or path == ("f:spec", "f:selector"))


def field(name: str) -> str:
    return f"f:{name}"


def item_key(item: Any, keys: tuple[str, ...]) -> str | None:
    """`k:{"name":"web"}` for an item, or None when a key is missing and has no default."""
    if not isinstance(item, dict):
        return None
    found = {key: item.get(key, _KEY_DEFAULTS.get(key)) for key in sorted(keys)}
    if any(value is None for value in found.values()):
        return None
    return "k:" + json.dumps(found, separators=(",", ":"))


def set_member(value: Any) -> str:
    return "v:" + json.dumps(value, separators=(",", ":"))


def keyed_items(items: list[Any], keys: tuple[str, ...]) -> dict[str, Any] | None:
    """Items by their key, in order; None when one has no key or two have the same: then the list is atomic."""
    found: dict[str, Any] = {}
    for item in items:
        key = item_key(item, keys)
        if key is None or key in found:
            return None
        found[key] = item
    return found
