"""Where objects live: a dictionary with a revision counter, a bounded history of changes, and listeners.

It knows nothing of the API's rules (`api` does) and takes no lock: one event loop owns a store. Stored objects are
never changed in place; whoever wants to change one copies it first.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from groundplan_sandbox.kubernetes.catalogue import Catalogue
from groundplan_sandbox.kubernetes.definitions import kind_of
from groundplan_sandbox.kubernetes.kinds import DEFINITION, Kind, Object

HISTORY_LENGTH = 4096


class ChangeType(StrEnum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One write. `previous` is None for ADDED; `object` of a DELETED change is the last state at its revision."""

    revision: int
    type: ChangeType
    kind: Kind
    object: Object
    previous: Object | None


class TooOldError(Exception):
    """The history no longer reaches back to the revision asked for."""


def namespace_of(item: Object) -> str:
    return str(item["metadata"].get("namespace", ""))


def name_of(item: Object) -> str:
    return str(item["metadata"]["name"])


class Store:
    """Objects by kind, namespace ("" when cluster-scoped) and name."""

    def __init__(self) -> None:
        self.kinds = Catalogue()
        self._objects: dict[Kind, dict[tuple[str, str], Object]] = {kind: {} for kind in self.kinds}
        self._history: deque[Change] = deque(maxlen=HISTORY_LENGTH)
        self._listeners: list[Callable[[Change], None]] = []
        self.revision = 1
        self._oldest = 1

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self._objects.get(kind, {}).get((namespace, name))

    def select(self, kind: Kind, namespace: str | None = None) -> list[Object]:
        """Objects of a kind in the order of (namespace, name); every namespace when `namespace` is None."""
        found = self._objects.get(kind, {})
        return [found[key] for key in sorted(found) if namespace is None or key[0] == namespace]

    def everything(self) -> Iterator[tuple[Kind, Object]]:
        for kind, objects in list(self._objects.items()):
            for item in list(objects.values()):
                yield kind, item

    def serve(self, kind: Kind) -> None:
        """Have objects of a custom kind; those of an earlier version of it become objects of this one."""
        objects: dict[tuple[str, str], Object] = {}
        for earlier in [each for each in self.kinds if (each.group, each.plural) == (kind.group, kind.plural)]:
            objects |= self._objects.pop(earlier, {})
            self.kinds.withdraw(earlier)
        self.kinds.serve(kind)
        self._objects[kind] = {key: item | {"apiVersion": kind.api_version} for key, item in objects.items()}

    def withdraw(self, kind: Kind) -> None:
        """Have no objects of a custom kind any more."""
        self.kinds.withdraw(kind)
        self._objects.pop(kind, None)

    def put(self, kind: Kind, item: Object) -> Object:
        """Store an object under its metadata; returns it with its new resourceVersion.

        An object equal to the stored one is not written again and keeps its revision, as in the real server.
        """
        key = (namespace_of(item), name_of(item))
        previous = self._objects[kind].get(key)
        if previous is not None and _same(previous, item):
            return previous
        stored = self._numbered(item)
        self._objects[kind][key] = stored
        self._record(ChangeType.MODIFIED if previous else ChangeType.ADDED, kind, stored, previous)
        return stored

    def remove(self, kind: Kind, item: Object) -> Object:
        """Drop an object; returns its last state, numbered with the revision of the removal."""
        previous = self._objects[kind].pop((namespace_of(item), name_of(item)))
        last = self._numbered(previous)
        self._record(ChangeType.DELETED, kind, last, previous)
        return last

    def changes_since(self, revision: int) -> list[Change]:
        """Changes after `revision`, oldest first. Raises TooOldError when history was dropped since."""
        if revision < self._oldest:
            raise TooOldError(f"too old resource version: {revision} ({self._oldest})")
        return [change for change in self._history if change.revision > revision]

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` after each write; the returned function ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def save(self, path: Path) -> None:
        """Write everything to `path`, atomically and readable by the owner alone (it holds Secrets)."""
        document = {"revision": self.revision, "objects": [item for _, item in self.everything()]}
        part = path.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(json.dumps(document), encoding="utf-8")
        part.replace(path)

    def load(self, path: Path) -> None:
        """Read what `save` wrote. Raises ValueError when the file is not such a document."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            self.revision = self._oldest = int(document["revision"])
            for item in document["objects"]:
                if (item["apiVersion"], item["kind"]) == (DEFINITION.api_version, DEFINITION.kind):
                    self.serve(kind_of(item))
            for item in document["objects"]:
                kind = self.kinds.named(item["apiVersion"], item["kind"])
                if kind is not None:
                    self._objects[kind][namespace_of(item), name_of(item)] = item
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a saved cluster: {error!r}") from error

    def _numbered(self, item: Object) -> Object:
        self.revision += 1
        return item | {"metadata": item["metadata"] | {"resourceVersion": str(self.revision)}}

    def _record(self, change_type: ChangeType, kind: Kind, item: Object, previous: Object | None) -> None:
        change = Change(revision=self.revision, type=change_type, kind=kind, object=item, previous=previous)
        if len(self._history) == self._history.maxlen:
            self._oldest = self._history[0].revision
        self._history.append(change)
        for listener in list(self._listeners):
            listener(change)


def _same(left: Object, right: Object) -> bool:
    return _bare(left) == _bare(right)


def _bare(item: Object) -> Object:
    return item | {"metadata": {key: value for key, value in item["metadata"].items() if key != "resourceVersion"}}
