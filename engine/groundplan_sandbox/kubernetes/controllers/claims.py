"""PersistentVolumeClaims: each that names a known StorageClass is bound to a volume made for it. Nothing is stored."""

from __future__ import annotations

from collections.abc import Iterable

from groundplan_sandbox.kubernetes.api import Api, Options
from groundplan_sandbox.kubernetes.controllers.children import key_of
from groundplan_sandbox.kubernetes.controllers.events import Recorder
from groundplan_sandbox.kubernetes.controllers.queue import Key
from groundplan_sandbox.kubernetes.kinds import CLAIM, STORAGE_CLASS, VOLUME, Object
from groundplan_sandbox.kubernetes.metadata import is_deleting
from groundplan_sandbox.kubernetes.store import Change, ChangeType, name_of, namespace_of

_OPTIONS = Options(manager="kube-controller-manager")
_STATUS = Options(manager="kube-controller-manager", subresource="status")


class ClaimController:
    def __init__(self, api: Api, recorder: Recorder) -> None:
        self._api = api
        self._recorder = recorder

    def affected(self, change: Change) -> Iterable[Key]:
        if change.kind is CLAIM:
            if change.type is ChangeType.DELETED:
                self._reclaim(change.object)
            else:
                yield key_of(change.object)
        elif change.kind is STORAGE_CLASS:
            yield from (key_of(claim) for claim in self._api.store.select(CLAIM))

    def reconcile(self, key: Key) -> float | None:
        claim = self._api.store.get(CLAIM, *key)
        if claim is None or is_deleting(claim) or claim["status"].get("phase") == "Bound":
            return None
        wanted = claim["spec"].get("storageClassName", "")
        if self._api.store.get(STORAGE_CLASS, "", wanted) is None:
            text = f'storageclass.storage.k8s.io "{wanted}" not found'
            self._recorder.warning(CLAIM, claim, "ProvisioningFailed", text)
        else:
            self._bind(claim)
        return None

    def _bind(self, claim: Object) -> None:
        name = f"pvc-{claim['metadata']['uid']}"
        spec = claim["spec"]
        capacity = {"storage": spec["resources"]["requests"]["storage"]}
        reference = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace_of(claim)}
        reference |= {"name": name_of(claim), "uid": claim["metadata"]["uid"]}
        volume = {"capacity": capacity, "accessModes": spec["accessModes"], "claimRef": reference}
        volume |= {"persistentVolumeReclaimPolicy": "Delete", "storageClassName": spec["storageClassName"]}
        made = self._api.create(VOLUME, "", {"metadata": {"name": name}, "spec": volume}, _OPTIONS)
        self._api.modify(VOLUME, made, lambda fresh: fresh.update(status={"phase": "Bound"}), _STATUS)
        self._api.modify(CLAIM, claim, lambda fresh: fresh["spec"].update(volumeName=name), _OPTIONS)
        status = {"phase": "Bound", "accessModes": spec["accessModes"], "capacity": capacity}
        self._api.modify(CLAIM, claim, lambda fresh: fresh.update(status=status), _STATUS)

    def _reclaim(self, claim: Object) -> None:
        volume = claim["spec"].get("volumeName", "")
        if self._api.store.get(VOLUME, "", volume):
            self._api.delete(VOLUME, "", volume, _OPTIONS)
