"""One cluster as the operations see it: apply, get and delete objects of any kind that it serves.

It finds paths by what the cluster says it serves (`discovery`) and speaks in the sdk's errors; how a request travels is
`client`'s business, and whether an object is ready `readiness`'s.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan_kubernetes.access import ClusterAccess
from groundplan_kubernetes.client import Connection, Definition
from groundplan_kubernetes.discovery import KnownResources, Resource, Resources, read_resources, root_of
from groundplan_kubernetes.failures import Contested, Missing, Refused, UnknownKind, Unreachable

FIELD_MANAGER: Final = "groundplan"
_known: Final = KnownResources()


@dataclass(frozen=True, kw_only=True)
class DeleteOptions:
    """How an object is deleted.

    Attributes:
        propagation: what becomes of what it owns: `Foreground` (deleted before it), `Background` or `Orphan`.
        grace_seconds: time it has to end; None for what it says itself.
    """

    propagation: str = "Foreground"
    grace_seconds: int | None = None


class Cluster:
    """One cluster, spoken to in the sdk's errors."""

    def __init__(self, access: ClusterAccess, *, scratch: Path) -> None:
        """Make a client; nothing is asked yet.

        Args:
            scratch: a private folder; a client certificate lies there for the moment it takes to load it.

        Raises:
            NonRecoverableError: certificates or addresses in `access` cannot be used.
        """
        self.access = access
        self._connection = Connection(access, scratch=scratch)

    @property
    def requests(self) -> int:
        """How many were sent."""
        return self._connection.requests

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def apply(
        self, definition: Definition, namespace: str, *, force: bool = False, dry_run: bool = False
    ) -> dict[str, Any]:
        """Apply an object server-side and return it as the cluster has it.

        Args:
            force: take over fields that others manage; without it such a conflict is refused.
            dry_run: only tell what the object would become.

        Raises:
            Contested: fields are managed by others, and `force` is not given.
            RecoverableError: also for a namespace that is not there, or a kind that may come: others may be making it.
        """
        query = {"fieldManager": FIELD_MANAGER, "force": "true" if force else "false"}
        if dry_run:
            query["dryRun"] = "All"
        act = f"applying {named(definition)}"
        try:
            with _judged(act):
                path = self._path(definition, namespace)
                return self._connection.ask("PATCH", path, query, definition, "application/apply-patch+yaml")
        except UnknownKind as unknown:
            error = RecoverableError if _may_come(str(definition["apiVersion"])) else NonRecoverableError
            raise error(f"{act}: {unknown}") from unknown
        except Missing as missing:
            _known.forget(self.access, str(definition["apiVersion"]))
            raise RecoverableError(f"{act}: {missing}") from missing

    def get(self, definition: Definition, namespace: str) -> dict[str, Any]:
        """Return an object.

        Raises:
            Missing: there is none.
        """
        with _judged(f"reading {named(definition)}"):
            return self._connection.ask("GET", self._path(definition, namespace))

    def delete(self, wanted: Definition, namespace: str, uid: str, options: DeleteOptions) -> None:
        """Delete an object if it is still the one known by `uid`; the cluster takes its time.

        Raises:
            Missing: there is none.
        """
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": options.propagation,
            "preconditions": {"uid": uid},
        }
        if options.grace_seconds is not None:
            body["gracePeriodSeconds"] = options.grace_seconds
        with _judged(f"deleting {named(wanted)}"):
            self._connection.ask("DELETE", self._path(wanted, namespace), None, body, "application/json")

    def _path(self, definition: Definition, namespace: str) -> str:
        return self._resource(definition).path(str(definition["metadata"]["name"]), namespace)

    def _resource(self, definition: Definition) -> Resource:
        version, kind = str(definition["apiVersion"]), str(definition["kind"])
        found = _known.find(self.access, version, kind, lambda: self._served(version))
        if found is not None:
            return found
        raise UnknownKind(f"The cluster knows no {kind} of {version}.")

    def _served(self, version: str) -> Resources:
        root = root_of(version)
        try:
            return read_resources(root, self._connection.ask("GET", root))
        except Refused as refused:
            if refused.status == 404:
                return {}
            raise


def _may_come(version: str) -> bool:
    """Whether kinds of an API version come with a CustomResourceDefinition, which may be applied any moment."""
    group = version.rpartition("/")[0]
    return "." in group and not group.endswith(".k8s.io")


@contextmanager
def _judged(act: str) -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        if refused.status == 404:
            raise Missing(refused.words) from refused
        if refused.contested:
            raise Contested(refused.contested) from refused
        error = RecoverableError if refused.passing else NonRecoverableError
        raise error(f"{act}: {refused.words}") from refused
    except Unreachable as unreachable:
        error = RecoverableError if unreachable.passing else NonRecoverableError
        raise error(f"{act}: {unreachable}") from unreachable


def named(definition: Definition) -> str:
    """Return kind and name, for people."""
    return f"{definition['kind']} {definition['metadata']['name']}"
