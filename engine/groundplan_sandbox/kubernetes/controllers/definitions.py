"""Custom kinds: served from the moment their definition is there, and gone, with their objects, when it goes.

What a definition means is `kubernetes.definitions`.
"""

from __future__ import annotations

from collections.abc import Iterable

from groundplan_sandbox.kubernetes.api import Api, Options
from groundplan_sandbox.kubernetes.controllers.queue import Key
from groundplan_sandbox.kubernetes.definitions import CLEANUP, kind_of
from groundplan_sandbox.kubernetes.kinds import DEFINITION, Kind, Object
from groundplan_sandbox.kubernetes.metadata import is_deleting, timestamp
from groundplan_sandbox.kubernetes.store import Change, ChangeType, name_of, namespace_of

_OPTIONS = Options(manager="kube-apiserver")
_STATUS = Options(manager="kube-apiserver", subresource="status")


class DefinitionController:
    def __init__(self, api: Api) -> None:
        self._api = api

    def affected(self, change: Change) -> Iterable[Key]:
        if change.kind is DEFINITION and change.type is not ChangeType.DELETED:
            yield "", name_of(change.object)
        elif change.kind.custom and change.type is ChangeType.DELETED:
            yield "", change.kind.resource

    def reconcile(self, key: Key) -> float | None:
        definition = self._api.store.get(DEFINITION, *key)
        if definition is None:
            return None
        kind = kind_of(definition)
        if is_deleting(definition):
            self._end(definition, kind)
        else:
            self._serve(definition, kind)
        return None

    def _serve(self, definition: Object, kind: Kind) -> None:
        self._api.store.serve(kind)
        status = {
            "acceptedNames": definition["spec"]["names"],
            "conditions": _conditions(definition),
            "storedVersions": [kind.version],
        }
        self._api.modify(DEFINITION, definition, lambda fresh: fresh.update(status=status), _STATUS)

    def _end(self, definition: Object, kind: Kind) -> None:
        for item in self._api.store.select(kind):
            if not is_deleting(item):
                self._api.delete(kind, namespace_of(item), name_of(item), _OPTIONS)
        if not self._api.store.select(kind):
            self._api.store.withdraw(kind)
            self._api.modify(DEFINITION, definition, _release, _OPTIONS)


def _conditions(definition: Object) -> list[Object]:
    known = {each["type"]: each for each in definition["status"].get("conditions") or []}
    accepted = {"type": "NamesAccepted", "status": "True", "reason": "NoConflicts", "message": "no conflicts found"}
    established = {
        "type": "Established",
        "status": "True",
        "reason": "InitialNamesAccepted",
        "message": "the initial names have been accepted",
    }
    return [known.get(each["type"], each | {"lastTransitionTime": timestamp()}) for each in (accepted, established)]


def _release(definition: Object) -> None:
    left = [each for each in definition["metadata"].get("finalizers") or [] if each != CLEANUP]
    definition["metadata"]["finalizers"] = left
