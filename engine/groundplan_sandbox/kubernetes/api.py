"""The verbs of the API on stored objects: create, replace, patch, delete, and what each must refuse.

Controllers and HTTP clients alike write through this door, so both meet the same rules. It knows nothing of HTTP
(`http` does), of what happens afterwards (`controllers` do), nor of reading lists (`listing`).
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from groundplan_sandbox.kubernetes import patches
from groundplan_sandbox.kubernetes.admission import admit
from groundplan_sandbox.kubernetes.apply import (
    Manager,
    apply_configuration,
    changed_by,
    own_update,
    owns_any,
    read_ownership,
    with_first_owner,
    with_ownership,
    without_times,
)
from groundplan_sandbox.kubernetes.bodies import (
    FieldValidation,
    agreeing,
    known_fields,
    refuse_unknown_fields,
    tidy_metadata,
    without_nulls,
)
from groundplan_sandbox.kubernetes.defaults import apply_defaults, first_status
from groundplan_sandbox.kubernetes.kinds import NAMESPACE, POD, Kind, Object
from groundplan_sandbox.kubernetes.metadata import is_deleting, owners_of, random_suffix, timestamp
from groundplan_sandbox.kubernetes.status import (
    already_exists,
    bad_request,
    conflict,
    forbidden,
    modified,
    not_found,
)
from groundplan_sandbox.kubernetes.store import Store, name_of, namespace_of
from groundplan_sandbox.kubernetes.validation import validate

FOREGROUND = "foregroundDeletion"
_KEPT_NAMESPACES = frozenset({"default", "kube-system", "kube-public"})
_KEPT_METADATA = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


class Patch(StrEnum):
    """The four patch formats, by media type."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a write asks for besides its body.

    subresource: "" for the object itself, or "status". through: the subresource that stands for a part of the object
    and by which a manager of that part is known, "scale". propagation: Background, Foreground or Orphan (deletion).
    grace: seconds a pod may take to end; None means its own setting. uid, revision: preconditions of a deletion.
    """

    manager: str = "unknown"
    subresource: str = ""
    through: str = ""
    dry_run: bool = False
    force: bool = False
    propagation: str = "Background"
    grace: int | None = None
    uid: str | None = None
    revision: str | None = None
    field_validation: FieldValidation = FieldValidation.TRUSTED
    warn: Callable[[str], None] = lambda _text: None


@dataclass(frozen=True, kw_only=True)
class Api:
    """Writes on one store."""

    store: Store = field(default_factory=Store)

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Raises ApiError 404."""
        found = self.store.get(kind, namespace, name)
        if found is None:
            raise not_found(kind, name)
        return found

    def create(self, kind: Kind, namespace: str, body: Object, options: Options) -> Object:
        """Raises ApiError 400, 403, 404 (namespace), 409 AlreadyExists, 422."""
        item = self._new(
            kind,
            namespace,
            known_fields(kind, agreeing(kind, namespace, None, body), options.field_validation, options.warn),
        )
        self._require_namespace(kind, item)
        if self.store.get(kind, namespace, name_of(item)) is not None:
            raise already_exists(kind, name_of(item))
        self._complete(kind, item, None)
        manager = Manager(name=options.manager, subresource=options.subresource)
        owned = with_ownership(item, own_update(None, item, manager, {}, timestamp()))
        return self._put(kind, owned, options)

    def replace(self, kind: Kind, namespace: str, name: str, body: Object, options: Options) -> Object:
        """Raises ApiError 404, 409 Conflict when `body` carries another resourceVersion, 422."""
        old = self.get(kind, namespace, name)
        return self._write(
            kind,
            old,
            known_fields(
                kind, without_nulls(agreeing(kind, namespace, name, body)), options.field_validation, options.warn
            ),
            options,
        )

    def patch(self, kind: Kind, namespace: str, name: str, patch: Patch, body: Any, options: Options) -> Object:
        """Raises ApiError 400, 404 (apply creates instead), 409 (stale, or owned by another manager), 422."""
        if patch is Patch.APPLY:
            return self._apply(kind, namespace, name, body, options)
        old = self.get(kind, namespace, name)
        change = {Patch.JSON: patches.json_patch, Patch.MERGE: patches.merge_patch}
        patched = change.get(patch, patches.strategic_merge_patch)(old, body)
        fresh = agreeing(kind, namespace, name, without_nulls(patched))
        return self._write(kind, old, known_fields(kind, fresh, options.field_validation, options.warn), options)

    def modify(self, kind: Kind, item: Object, edit: Callable[[Object], None], options: Options) -> Object:
        """Change the stored state of `item` by `edit`, which gets a copy. Raises ApiError 404 when it is gone."""
        old = self.get(kind, namespace_of(item), name_of(item))
        fresh = copy.deepcopy(old)
        edit(fresh)
        return self._write(kind, old, fresh, options)

    def delete(self, kind: Kind, namespace: str, name: str, options: Options) -> tuple[Object, bool]:
        """Delete, or begin to: the object's last state, and whether it is gone already.

        Raises ApiError 403 (a namespace of the system), 404, 409 (a precondition fails).
        """
        item = self.get(kind, namespace, name)
        _check_preconditions(kind, item, options)
        if kind is NAMESPACE and name in _KEPT_NAMESPACES:
            raise forbidden(kind, name, "this namespace may not be deleted")
        if options.dry_run:
            return item, False
        if options.propagation == "Orphan":
            self._orphan(item)
        grace = _grace(kind, item, options)
        finalizers = list(item["metadata"].get("finalizers") or [])
        if options.propagation == "Foreground" and FOREGROUND not in finalizers:
            finalizers.append(FOREGROUND)
        if not finalizers and not grace and kind is not NAMESPACE:
            return self.store.remove(kind, item), True
        return self.store.put(kind, _marked(kind, item, finalizers, grace)), False

    def finish(self, kind: Kind, item: Object) -> None:
        """Remove an object whose deletion had begun, when no finalizer holds it any more."""
        current = self.store.get(kind, namespace_of(item), name_of(item))
        if current is not None and not current["metadata"].get("finalizers"):
            self.store.remove(kind, current)

    def _orphan(self, owner: Object) -> None:
        uid = owner["metadata"]["uid"]
        for kind, each in self.store.everything():
            left = [reference for reference in owners_of(each) if reference["uid"] != uid]
            if len(left) != len(owners_of(each)):
                self.store.put(kind, tidy_metadata(each | {"metadata": each["metadata"] | {"ownerReferences": left}}))

    def _new(self, kind: Kind, namespace: str, body: Object) -> Object:
        item: Object = without_nulls(copy.deepcopy(agreeing(kind, namespace, None, body)))
        metadata = item["metadata"]
        if metadata.get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + random_suffix()
        for name in (*_KEPT_METADATA, "managedFields", "resourceVersion", "selfLink"):
            metadata.pop(name, None)
        metadata.setdefault("name", "")
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": timestamp()}
        if kind.generation:
            metadata["generation"] = 1
        if kind.has_status:
            item.pop("status", None)
            item |= {} if kind.custom else {"status": first_status(kind)}
        return item

    def _require_namespace(self, kind: Kind, item: Object) -> None:
        if not kind.namespaced:
            return
        namespace = self.get(NAMESPACE, "", namespace_of(item))
        if is_deleting(namespace):
            why = f"unable to create new content in namespace {namespace_of(item)} because it is being terminated"
            raise forbidden(kind, name_of(item), why)

    def _complete(self, kind: Kind, item: Object, old: Object | None) -> None:
        try:
            apply_defaults(kind, item)
            admit(self.store, kind, item, old)
            validate(kind, item, old)
        except (AttributeError, TypeError, KeyError) as error:
            raise bad_request(f"{kind.kind} in version {kind.version!r} cannot be handled: {error}") from error

    def _write(self, kind: Kind, old: Object, body: Object, options: Options) -> Object:
        _check_revision(kind, old, body)
        item = self._merged_with_old(kind, old, body, options)
        manager = Manager(name=options.manager, subresource=options.through or options.subresource)
        base = body if "managedFields" in body["metadata"] else old
        before = read_ownership(base)
        # What nobody manages stays so when it is changed through a subresource, as in the real server.
        tracked = not options.through or owns_any(before, changed_by(old, item))
        ownership = own_update(old, item, manager, before, timestamp()) if tracked else before
        return self._keep(kind, old, with_ownership(item, ownership), options)

    def _merged_with_old(self, kind: Kind, old: Object, body: Object, options: Options) -> Object:
        if options.subresource == "status":
            item = old | {"status": copy.deepcopy(body.get("status", {}))}
        else:
            item = copy.deepcopy(body)
            if kind.has_status:
                item.pop("status", None)
                item |= {"status": old["status"]} if "status" in old else {}
        metadata = {key: value for key, value in item["metadata"].items() if key not in _KEPT_METADATA}
        metadata |= {key: old["metadata"][key] for key in _KEPT_METADATA if key in old["metadata"]}
        metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
        item = item | {"metadata": metadata}
        if not options.subresource:
            self._complete(kind, item, old)
            if kind.generation and item.get("spec") != old.get("spec"):
                metadata["generation"] = old["metadata"]["generation"] + 1
        return item

    def _keep(self, kind: Kind, old: Object, item: Object, options: Options) -> Object:
        if without_times(tidy_metadata(item)) == without_times(old):
            return old
        stored = self._put(kind, item, options)
        if not options.dry_run and _is_freed(kind, old, item):
            return self.store.remove(kind, stored)
        return stored

    def _apply(self, kind: Kind, namespace: str, name: str, body: Any, options: Options) -> Object:
        config = without_nulls(agreeing(kind, namespace, name, body))
        refuse_unknown_fields(kind, config)
        if config["metadata"].get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        if kind.has_status and options.subresource != "status":
            config = {key: value for key, value in config.items() if key != "status"}
        manager = Manager(name=options.manager, operation="Apply", subresource=options.subresource)
        old = self.store.get(kind, namespace, name)
        if old is None:
            return self._apply_new(kind, namespace, config, manager, options)
        _check_revision(kind, old, config)
        applied = apply_configuration(with_first_owner(old), config, manager, force=options.force, now=timestamp())
        item = self._merged_with_old(kind, old, applied.object, options)
        return self._keep(kind, old, with_ownership(item, applied.ownership), options)

    def _apply_new(self, kind: Kind, namespace: str, config: Object, manager: Manager, options: Options) -> Object:
        item = self._new(kind, namespace, config)
        self._require_namespace(kind, item)
        self._complete(kind, item, None)
        bare: Object = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}}
        applied = apply_configuration(bare, config, manager, force=True, now=timestamp())
        owned = with_ownership(item, applied.ownership)
        return self._put(kind, owned, options)

    def _put(self, kind: Kind, item: Object, options: Options) -> Object:
        tidy = tidy_metadata(item)
        return tidy if options.dry_run else self.store.put(kind, tidy)


def _is_freed(kind: Kind, old: Object, item: Object) -> bool:
    """Whether a write took the last finalizer from an object whose deletion had begun and waits for nothing else."""
    before, now = old["metadata"], item["metadata"]
    held = now.get("finalizers") or now.get("deletionGracePeriodSeconds") or kind is NAMESPACE
    return is_deleting(item) and bool(before.get("finalizers")) and not held


def _check_revision(kind: Kind, old: Object, body: Object) -> None:
    metadata = body["metadata"]
    if metadata.get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
        raise conflict(kind, name_of(old), "Precondition failed: the UID in the object is not that of the stored one")
    if metadata.get("resourceVersion", old["metadata"]["resourceVersion"]) != old["metadata"]["resourceVersion"]:
        raise modified(kind, name_of(old))


def _check_preconditions(kind: Kind, item: Object, options: Options) -> None:
    metadata = item["metadata"]
    if options.uid not in (None, metadata["uid"]) or options.revision not in (None, metadata["resourceVersion"]):
        raise conflict(kind, name_of(item), "Precondition failed: UID or resourceVersion is another one")


def _grace(kind: Kind, item: Object, options: Options) -> int:
    if kind is not POD or not item["spec"].get("nodeName"):
        return 0
    own = int(item["spec"].get("terminationGracePeriodSeconds", 30))
    return own if options.grace is None else options.grace


def _marked(kind: Kind, item: Object, finalizers: list[str], grace: int) -> Object:
    metadata = item["metadata"] | {"deletionTimestamp": item["metadata"].get("deletionTimestamp", timestamp())}
    metadata["deletionGracePeriodSeconds"] = grace
    if finalizers:
        metadata["finalizers"] = finalizers
    if kind.generation and not is_deleting(item):
        metadata["generation"] += 1
    marked = item | {"metadata": metadata}
    return marked | ({"status": item["status"] | {"phase": "Terminating"}} if kind is NAMESPACE else {})
