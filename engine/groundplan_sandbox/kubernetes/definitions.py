"""What a CustomResourceDefinition says: the kind that it makes, and why it must be refused.

Of several versions only the one that is stored is served. What happens when a definition comes or goes is the
business of `controllers.definitions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from groundplan_sandbox.kubernetes.kinds import Kind, Object
from groundplan_sandbox.kubernetes.status import Cause, invalid_value, required, unsupported

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer that keeps a definition until its objects are gone."""

_SCOPES = ("Cluster", "Namespaced")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def kind_of(definition: Object) -> Kind:
    """The kind of a valid definition, in the version that is stored."""
    spec = definition["spec"]
    names, version = spec["names"], next(each for each in spec["versions"] if each["storage"])
    return Kind(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=frozenset({"status"} & set(version.get("subresources") or ())),
        generation=True,
        schema=version["schema"]["openAPIV3Schema"],
    )


def fill(definition: Object) -> None:
    """Add what a definition leaves out, in place, as far as it has the shape of one."""
    spec = definition.get("spec")
    names = spec.get("names") if isinstance(spec, dict) else None
    if isinstance(spec, dict) and isinstance(names, dict) and isinstance(names.get("kind"), str):
        names.setdefault("singular", names["kind"].lower())
        names.setdefault("listKind", f"{names['kind']}List")
        spec.setdefault("conversion", {"strategy": "None"})


def faults(definition: Object) -> Iterator[Cause]:
    """What the API server refuses in a definition."""
    spec: Any = definition.get("spec") or {}
    names = spec.get("names") or {}
    if not spec.get("group"):
        yield required("spec.group")
    if spec.get("scope") not in _SCOPES:
        yield unsupported("spec.scope", spec.get("scope", ""), _SCOPES)
    for name in ("plural", "singular", "kind", "listKind"):
        if not names.get(name):
            yield required(f"spec.names.{name}")
        elif name in ("plural", "singular") and not _NAME.fullmatch(names[name]):
            yield invalid_value(f"spec.names.{name}", names[name], "a DNS-1035 label must be lower case")
    expected = f"{names.get('plural')}.{spec.get('group')}"
    if definition["metadata"].get("name") != expected:
        why = 'must be spec.names.plural+"."+spec.group'
        yield invalid_value("metadata.name", definition["metadata"].get("name"), why)
    yield from _versions(spec.get("versions") or [])


def _versions(versions: list[Object]) -> Iterator[Cause]:
    if not versions:
        yield required("spec.versions")
    elif sum(bool(version.get("storage")) for version in versions) != 1:
        shown = [version.get("name") for version in versions]
        yield invalid_value("spec.versions", shown, "must have exactly one version marked as storage version")
    for index, version in enumerate(versions):
        if not version.get("name"):
            yield required(f"spec.versions[{index}].name")
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            yield required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required")
        elif schema.get("type") != "object":
            place = f"spec.versions[{index}].schema.openAPIV3Schema.type"
            yield invalid_value(place, schema.get("type", ""), "must be object at the root")
