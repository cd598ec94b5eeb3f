"""A client's body before it becomes an object: does it agree with its path, has it only fields that exist, no nulls?

`decoding` knows the shapes; `api` decides what to do with what comes out here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from groundplan_sandbox.kubernetes.decoding import decode_object
from groundplan_sandbox.kubernetes.kinds import Kind, Object
from groundplan_sandbox.kubernetes.status import ApiError, bad_request


class FieldValidation(StrEnum):
    """What to do about fields that a kind does not have. TRUSTED skips the check: for the server's own writes."""

    STRICT = "Strict"
    WARN = "Warn"
    IGNORE = "Ignore"
    TRUSTED = "Trusted"


def agreeing(kind: Kind, namespace: str, name: str | None, body: Any) -> Object:
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
    head = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
    return head | body | head


def known_fields(kind: Kind, body: Object, validation: FieldValidation, warn: Callable[[str], None]) -> Object:
    """The body without unknown fields. Raises ApiError 400 for wrong types, and for such fields when Strict."""
    if validation is FieldValidation.TRUSTED:
        return body
    decoded = decode_object(kind, body)
    faults = [f'unknown field "{path}"' for path in decoded.unknown]
    if faults and validation is FieldValidation.STRICT:
        about = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}'
        raise bad_request(f"{about}: strict decoding error: {', '.join(faults)}")
    if validation is FieldValidation.WARN:
        for fault in faults:
            warn(fault)
    return decoded.object


def refuse_unknown_fields(kind: Kind, config: Object) -> None:
    """Server-side apply has no use for a field that nobody could own. Code and words are the real server's."""
    unknown = decode_object(kind, config).unknown
    if unknown:
        metadata = config["metadata"]
        what = f"{metadata.get('namespace', '')}/{metadata['name']}; {kind.api_version}, Kind={kind.kind}"
        message = f"failed to create typed patch object ({what}): .{unknown[0]}: field not declared in schema"
        raise ApiError(500, "", message)


def tidy_metadata(item: Object) -> Object:
    """Metadata without empty lists and maps, which the API never shows."""
    return item | {"metadata": {key: value for key, value in item["metadata"].items() if value not in ([], {})}}


def without_nulls(value: Any) -> Any:
    """JSON null means absent in the API."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value
