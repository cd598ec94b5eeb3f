"""The arithmetic of a rolling update: how many pods each ReplicaSet may have next.

Pure numbers, after "Deployment: Rolling Update" of Kubernetes: never more than replicas + maxSurge pods, never fewer
than replicas - maxUnavailable available ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from groundplan_sandbox.kubernetes.kinds import Object


@dataclass(frozen=True, kw_only=True)
class Size:
    """One ReplicaSet: pods asked for, and pods available."""

    name: str
    wanted: int
    available: int


def replicas_of(item: Object) -> int:
    return int(item["spec"]["replicas"])


def count(sets: Iterable[Object], field: str) -> int:
    return sum((each.get("status") or {}).get(field, 0) for each in sets)


def bounds(spec: Object) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in pods: surge rounded up, unavailable down, and one unavailable when both are 0."""
    rolling = spec["strategy"].get("rollingUpdate") or {}
    surge = math.ceil(_pods(rolling.get("maxSurge", "25%"), spec["replicas"]))
    unavailable = math.floor(_pods(rolling.get("maxUnavailable", "25%"), spec["replicas"]))
    return surge, unavailable if surge or unavailable else 1


def _pods(value: int | str, replicas: int) -> float:
    return value if isinstance(value, int) else int(value.rstrip("%")) * replicas / 100


def next_sizes(spec: Object, new: Size | None, old: list[Size], *, old_pods_left: bool) -> dict[str, int]:
    """The next size of each ReplicaSet by name.

    new: None while paused before its ReplicaSet was made. old_pods_left: whether pods of old ones are still there.
    """
    if spec.get("paused") or new is None:
        return _paused(spec, new, old)
    if spec["strategy"]["type"] == "Recreate":
        sizes = {each.name: 0 for each in old}
        return sizes | ({} if old_pods_left else {new.name: spec["replicas"]})
    return _rolling(spec, new, old)


def _paused(spec: Object, new: Size | None, old: list[Size]) -> dict[str, int]:
    """A paused Deployment still scales: what it has now follows `replicas` when one ReplicaSet holds all pods."""
    holders = [each for each in [*old, *([new] if new else [])] if each.wanted]
    return {holders[0].name: spec["replicas"]} if len(holders) == 1 else {}


def _rolling(spec: Object, new: Size, old: list[Size]) -> dict[str, int]:
    replicas = spec["replicas"]
    surge, unavailable = bounds(spec)
    total = new.wanted + sum(each.wanted for each in old)
    target = min(replicas, new.wanted + max(0, replicas + surge - total))
    sizes = {new.name: target}
    floor = replicas - unavailable
    # What was just asked for is not available yet, nor does it count as room to remove old pods.
    removable = total - floor - max(0, new.wanted - new.available)
    for each in old:
        unhealthy = min(each.wanted - each.available, max(0, removable))
        sizes[each.name] = each.wanted - unhealthy
        removable -= unhealthy
    available = new.available + sum(min(each.available, each.wanted) for each in old)
    spare = min(max(0, available - floor), max(0, removable))
    for each in old:
        gone = min(sizes[each.name], spare)
        sizes[each.name] -= gone
        spare -= gone
    return sizes
