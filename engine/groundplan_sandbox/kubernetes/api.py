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
    own_update,
    read_ownership,
    with_ownership,
)
from groundplan_sandbox.kubernetes.decoding import decode_object
from groundplan_sandbox.kubernetes.defaults import apply_defaults, first_status
from groundplan_sandbox.kubernetes.kinds import NAMESPACE, POD, Kind, Object
from groundplan_sandbox.kubernetes.metadata import is_deleting, owners_of, random_suffix, timestamp
from groundplan_sandbox.kubernetes.status import (
    ApiError,
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


class FieldValidation(StrEnum):
    """What to do about fields that a kind does not have. TRUSTED skips the check: for the server's own writes."""

    STRICT = "Strict"
    WARN = "Warn"
    IGNORE = "Ignore"
    TRUSTED = "Trusted"


class Patch(StrEnum):
    """The four patch formats, by media type."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a write asks for besides its body.

    subresource: "" for the object itself, or "status". propagation: Background, Foreground or Orphan (deletion).
    grace: seconds a pod may take to end; None means its own setting. uid, revision: preconditions of a deletion.
    """

    manager: str = "unknown"
    subresource: str = ""
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
        item = self._new(kind, namespace, _decoded(kind, _checked(kind, namespace, None, body), options))
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
        return self._write(kind, old, _decoded(kind, _checked(kind, namespace, name, body), options), options)

    def patch(self, kind: Kind, namespace: str, name: str, patch: Patch, body: Any, options: Options) -> Object:
        """Raises ApiError 400, 404 (apply creates instead), 409 (stale, or owned by another manager), 422."""
        if patch is Patch.APPLY:
            return self._apply(kind, namespace, name, body, options)
        old = self.get(kind, namespace, name)
        change = {Patch.JSON: patches.json_patch, Patch.MERGE: patches.merge_patch}
        patched = change.get(patch, patches.strategic_merge_patch)(old, body)
        fresh = _checked(kind, namespace, name, _without_nulls(patched))
        return self._write(kind, old, _decoded(kind, fresh, options), options)

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
                self.store.put(kind, _tidy(each | {"metadata": each["metadata"] | {"ownerReferences": left}}))

    def _new(self, kind: Kind, namespace: str, body: Object) -> Object:
        item: Object = _without_nulls(copy.deepcopy(_checked(kind, namespace, None, body)))
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
            item["status"] = first_status(kind)
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
        manager = Manager(name=options.manager, subresource=options.subresource)
        base = body if "managedFields" in body["metadata"] else old
        ownership = own_update(old, item, manager, read_ownership(base), timestamp())
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
        freed = is_deleting(item) and old["metadata"].get("finalizers") and not item["metadata"].get("finalizers")
        stored = self._put(kind, item, options)
        if (
            freed
            and not options.dry_run
            and kind is not NAMESPACE
            and not item["metadata"].get("deletionGracePeriodSeconds")
        ):
            return self.store.remove(kind, stored)
        return stored

    def _apply(self, kind: Kind, namespace: str, name: str, body: Any, options: Options) -> Object:
        config = _without_nulls(_checked(kind, namespace, name, body))
        _refuse_unknown(kind, config)
        if config["metadata"].get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        if kind.has_status and options.subresource != "status":
            config = {key: value for key, value in config.items() if key != "status"}
        manager = Manager(name=options.manager, operation="Apply", subresource=options.subresource)
        old = self.store.get(kind, namespace, name)
        if old is None:
            return self._apply_new(kind, namespace, config, manager, options)
        _check_revision(kind, old, config)
        applied = apply_configuration(old, config, manager, force=options.force, now=timestamp())
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
        tidy = _tidy(item)
        return tidy if options.dry_run else self.store.put(kind, tidy)


def _checked(kind: Kind, namespace: str, name: str | None, body: Any) -> Object:
    """The body as an object of `kind` with its metadata agreeing with the request's path. Raises ApiError 400."""
    if not isinstance(body, dict) or not isinstance(body.get("metadata") or {}, dict):
        raise bad_request("the request's body is not an object with metadata")
    found = (body.get("apiVersion") or kind.api_version, body.get("kind") or kind.kind)
    if found != (kind.api_version, kind.kind):
        raise bad_request(f"{found[1]} in version {found[0]!r} cannot be handled as a {kind.kind}")
    metadata = dict(body.get("metadata") or {})
    if kind.namespaced and metadata.setdefault("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if name is not None and metadata.setdefault("name", name) != name:
        raise bad_request(f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})")
    if not kind.namespaced:
        metadata.pop("namespace", None)
    return {"apiVersion": kind.api_version, "kind": kind.kind, **body, "metadata": metadata}


def _decoded(kind: Kind, body: Object, options: Options) -> Object:
    """The body without unknown fields. Raises ApiError 400 for wrong types, and for such fields when Strict."""
    if options.field_validation is FieldValidation.TRUSTED:
        return body
    decoded = decode_object(kind, body)
    faults = [f'unknown field "{path}"' for path in decoded.unknown]
    if faults and options.field_validation is FieldValidation.STRICT:
        about = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}'
        raise bad_request(f"{about}: strict decoding error: {', '.join(faults)}")
    if options.field_validation is FieldValidation.WARN:
        for fault in faults:
            options.warn(fault)
    return decoded.object


def _refuse_unknown(kind: Kind, config: Object) -> None:
    """Server-side apply has no use for a field that nobody could own. Code and words are the real server's."""
    unknown = decode_object(kind, config).unknown
    if unknown:
        metadata = config["metadata"]
        what = f"{metadata.get('namespace', '')}/{metadata['name']}; {kind.api_version}, Kind={kind.kind}"
        message = f"failed to create typed patch object ({what}): .{unknown[0]}: field not declared in schema"
        raise ApiError(500, "", message)


def _tidy(item: Object) -> Object:
    """Metadata without empty lists and maps, which the API never shows."""
    return item | {"metadata": {key: value for key, value in item["metadata"].items() if value not in ([], {})}}


def _without_nulls(value: Any) -> Any:
    """JSON null means absent in the API."""
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


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
