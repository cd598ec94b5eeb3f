"""What workload controllers share: the objects they own, pods made from a template, hashes of templates, status.

It decides nothing about how many there should be.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable

from groundplan_sandbox.kubernetes.api import Api, Options
from groundplan_sandbox.kubernetes.controllers.queue import Key
from groundplan_sandbox.kubernetes.kinds import POD, Kind, Object
from groundplan_sandbox.kubernetes.metadata import (
    controller_of,
    is_controlled_by,
    is_deleting,
    is_ready,
    owner_reference,
    owners_of,
)
from groundplan_sandbox.kubernetes.selectors import match_labels
from groundplan_sandbox.kubernetes.store import Change, name_of, namespace_of

CONTROLLER = Options(manager="kube-controller-manager")
CONTROLLER_STATUS = Options(manager="kube-controller-manager", subresource="status")

_HASH_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def key_of(item: Object) -> Key:
    return namespace_of(item), name_of(item)


def owner_keys(change: Change, owner: Kind) -> Iterable[Key]:
    """The keys of the objects of kind `owner` that control, or controlled, the changed object."""
    for item in (change.object, change.previous):
        reference = controller_of(item) if item is not None else None
        if reference is not None and reference["kind"] == owner.kind:
            yield namespace_of(change.object), reference["name"]


def keys_of(change: Change, own: Kind, child: Kind) -> Iterable[Key]:
    """The usual `affected`: the object itself, and the owner of a changed child."""
    if change.kind is own:
        yield key_of(change.object)
    elif change.kind is child:
        yield from owner_keys(change, own)


def claimed(api: Api, kind: Kind, owner: Object, child: Kind) -> list[Object]:
    """The children that `owner` controls; children that match its selector and have no controller are adopted."""
    found = []
    for item in api.store.select(child, namespace_of(owner)):
        if is_controlled_by(item, owner):
            found.append(item)
        elif controller_of(item) is None and not is_deleting(item) and _selected(owner, item):
            found.append(_adopt(api, child, item, owner_reference(kind, owner)))
    return found


def _adopt(api: Api, child: Kind, item: Object, reference: Object) -> Object:
    references = [*owners_of(item), reference]
    return api.modify(child, item, lambda fresh: fresh["metadata"].update(ownerReferences=references), CONTROLLER)


def _selected(owner: Object, item: Object) -> bool:
    return match_labels(item["metadata"].get("labels") or {}, owner["spec"].get("selector"))


def is_active(pod: Object) -> bool:
    return not is_deleting(pod) and pod["status"].get("phase") not in ("Succeeded", "Failed")


def count_ready(pods: Iterable[Object]) -> int:
    return sum(is_ready(pod) for pod in pods)


def template_hash(template: Object) -> str:
    """Ten letters that stand for a pod template, whatever the order of its fields."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    return "".join(_HASH_LETTERS[byte % len(_HASH_LETTERS)] for byte in digest[:10])


def pod_from(kind: Kind, owner: Object, *, name: str = "", labels: Object | None = None) -> Object:
    """A pod body from an owner's template, controlled by it; with a generated name unless `name` is given."""
    template = copy.deepcopy(owner["spec"]["template"])
    metadata = {key: template.get("metadata", {}).get(key) or {} for key in ("labels", "annotations")}
    metadata["labels"] |= labels or {}
    naming = {"name": name} if name else {"generateName": f"{name_of(owner)}-"}
    ownership = {"ownerReferences": [owner_reference(kind, owner)]}
    return {"metadata": {**metadata, **naming, **ownership}, "spec": template["spec"]}


def make_pod(api: Api, owner: Object, body: Object) -> Object:
    return api.create(POD, namespace_of(owner), body, CONTROLLER)


def write_status(api: Api, kind: Kind, item: Object, status: Object, **always: int) -> Object:
    """Replace the status; zero counts are left out, as the real API leaves them out, save those in `always`."""
    kept = {key: value for key, value in status.items() if value not in (None, 0, [])} | always
    kept["observedGeneration"] = item["metadata"]["generation"]
    return api.modify(kind, item, lambda fresh: fresh.update(status=kept), CONTROLLER_STATUS)
