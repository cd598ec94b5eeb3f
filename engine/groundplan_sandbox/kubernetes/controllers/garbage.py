"""Garbage collection: what belongs to an owner that is gone goes too; foreground deletion waits for dependents.

Rules: Kubernetes, "Garbage Collection" and "Cascading deletion". Orphaning happens in `api`, at the deletion itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from groundplan_sandbox.kubernetes.api import FOREGROUND, Api, Options
from groundplan_sandbox.kubernetes.controllers.queue import Key
from groundplan_sandbox.kubernetes.kinds import Kind, Object
from groundplan_sandbox.kubernetes.metadata import is_deleting, owners_of
from groundplan_sandbox.kubernetes.store import Change, ChangeType, name_of, namespace_of

_OPTIONS = Options(manager="kube-controller-manager")
_FOREGROUND_OPTIONS = Options(manager="kube-controller-manager", propagation="Foreground")

_Place = tuple[Kind, str, str]


class GarbageCollector:
    """Its keys are ("", uid of an owner), unlike those of the other controllers."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._dependents: dict[str, set[_Place]] = {}
        self._places: dict[str, _Place] = {}

    def affected(self, change: Change) -> Iterable[Key]:
        item, uid = change.object, change.object["metadata"]["uid"]
        place = (change.kind, namespace_of(item), name_of(item))
        owners = [owner["uid"] for owner in owners_of(item)]
        before = [owner["uid"] for owner in owners_of(change.previous)] if change.previous else []
        for owner in before:
            self._dependents.get(owner, set()).discard(place)
        if change.type is ChangeType.DELETED:
            self._places.pop(uid, None)
        else:
            self._places[uid] = place
            for owner in owners:
                self._dependents.setdefault(owner, set()).add(place)
        if change.type is ChangeType.DELETED or is_deleting(item):
            yield "", uid
        for owner in owners:
            yield "", owner

    def reconcile(self, key: Key) -> float | None:
        uid = key[1]
        owner = self._at(self._places.get(uid))
        if owner is None:
            for place in self._of(uid):
                self._collect(place)
            self._dependents.pop(uid, None)
        elif is_deleting(owner) and FOREGROUND in (owner["metadata"].get("finalizers") or []):
            self._delete_in_foreground(self._places[uid], owner)
        return None

    def _at(self, place: _Place | None) -> Object | None:
        return self._api.store.get(*place) if place else None

    def _of(self, uid: str) -> list[_Place]:
        return sorted(self._dependents.get(uid, ()), key=lambda place: (place[0].plural, place[1:]))

    def _collect(self, place: _Place) -> None:
        item = self._at(place)
        if item is None or is_deleting(item):
            return
        left = [owner for owner in owners_of(item) if owner["uid"] in self._places or not self._is_known(owner)]
        if left:
            self._api.modify(place[0], item, lambda fresh: fresh["metadata"].update(ownerReferences=left), _OPTIONS)
        else:
            self._api.delete(*place, _OPTIONS)

    def _is_known(self, owner: Object) -> bool:
        """An owner of a kind that is not served here cannot be looked up, so it counts as being there."""
        return self._api.store.kinds.named(owner["apiVersion"], owner["kind"]) is not None

    def _delete_in_foreground(self, place: _Place, owner: Object) -> None:
        blocked = False
        for dependent in self._of(owner["metadata"]["uid"]):
            item = self._at(dependent)
            if item is None:
                continue
            blocked = blocked or _blocks(item, owner)
            if not is_deleting(item):
                self._api.delete(*dependent, _FOREGROUND_OPTIONS)
        if not blocked:
            self._api.modify(place[0], owner, _release, _OPTIONS)


def _blocks(item: Object, owner: Object) -> bool:
    uid = owner["metadata"]["uid"]
    return any(each["uid"] == uid and each.get("blockOwnerDeletion") for each in owners_of(item))


def _release(owner: Object) -> None:
    owner["metadata"]["finalizers"] = [each for each in owner["metadata"]["finalizers"] if each != FOREGROUND]
