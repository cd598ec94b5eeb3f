"""Where a cluster keeps objects of a kind: its own lists of resources, asked once and kept by this process.

A list is kept per cluster (its address and its authority: a cluster made anew at an old address is another one) and
per API version. A kind that a kept list lacks is asked for again, since clusters learn kinds. Nothing is written down.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock
from typing import Any, Final
from urllib.parse import quote

from groundplan_kubernetes.access import ClusterAccess

_CLUSTERS_KEPT: Final = 64


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A kind as a cluster serves it.

    Attributes:
        root: path of its API version, `/api/v1` or `/apis/apps/v1`.
        plural: its name in paths, `deployments`.
        namespaced: whether its objects live in namespaces.
    """

    root: str
    plural: str
    namespaced: bool

    def path(self, name: str, namespace: str) -> str:
        """Return the path of an object; `namespace` counts for namespaced kinds only."""
        scope = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced else ""
        return f"{self.root}{scope}/{self.plural}/{quote(name, safe='')}"


Resources = Mapping[str, Resource]
"""By kind."""


def root_of(version: str) -> str:
    """Return the path of an API version: the core group's differs from the others'."""
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def read_resources(root: str, document: Mapping[str, Any]) -> Resources:
    """Return the kinds of an APIResourceList; subresources (`deployments/scale`) are no kinds of their own."""
    return {
        entry["kind"]: Resource(root=root, plural=entry["name"], namespaced=bool(entry.get("namespaced")))
        for entry in document.get("resources") or ()
        if "/" not in entry["name"]
    }


class KnownResources:
    """What clusters said they serve; shared by the threads of a process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._clusters: dict[str, dict[str, Resources]] = {}

    def find(self, access: ClusterAccess, version: str, kind: str, ask: Callable[[], Resources]) -> Resource | None:
        """Return where objects of a kind are; None when the cluster, asked now, does not serve it.

        Args:
            ask: gets the list of the API version from the cluster; runs at most once, outside the lock.
        """
        cluster = _fingerprint(access)
        with self._lock:
            kept = self._clusters.get(cluster, {}).get(version, {})
        if kind in kept:
            return kept[kind]
        fresh = ask()
        with self._lock:
            while len(self._clusters) >= _CLUSTERS_KEPT and cluster not in self._clusters:
                del self._clusters[next(iter(self._clusters))]
            self._clusters.setdefault(cluster, {})[version] = fresh
        return fresh.get(kind)

    def forget(self, access: ClusterAccess, version: str) -> None:
        """Drop what is kept of an API version: a path made from it was refused."""
        with self._lock:
            self._clusters.get(_fingerprint(access), {}).pop(version, None)


def _fingerprint(access: ClusterAccess) -> str:
    return sha256(f"{access.server}\0{access.authority}".encode()).hexdigest()
