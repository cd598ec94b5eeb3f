"""Label and field selectors: parse what clients send, and match objects against it.

Grammar: Kubernetes, "Labels and Selectors" (equality, set-based) and "Field Selectors". It reads no storage.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from groundplan_sandbox.kubernetes.kinds import Kind, Object
from groundplan_sandbox.kubernetes.status import bad_request

Matches = Callable[[Object], bool]

_SET = re.compile(r"^\s*([^\s!=,()]+)\s+(in|notin)\s*\(([^)]*)\)\s*$")
_EQUAL = re.compile(r"^\s*([^\s!=,()]+)\s*(==|=|!=)\s*([^\s!=,()]*)\s*$")
_EXISTS = re.compile(r"^\s*(!?)\s*([^\s!=,()]+)\s*$")

_FIELDS_OF: dict[str, tuple[str, ...]] = {
    "pods": ("spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "status.phase", "status.podIP"),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "type",
    ),
    "secrets": ("type",),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "replicasets": ("status.replicas",),
    "jobs": ("status.successful",),
}


def match_labels(labels: Mapping[str, str], selector: Mapping[str, Any] | None) -> bool:
    """A LabelSelector (matchLabels and matchExpressions) against labels. None selects nothing, {} everything."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_match_expression(labels, each) for each in selector.get("matchExpressions") or [])


def _match_expression(labels: Mapping[str, str], expression: Mapping[str, Any]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def parse_label_selector(text: str) -> Matches:
    """`a=b,c!=d,e in (f,g),h,!i` as a predicate over objects. Raises ApiError 400 when it is no selector."""
    expressions = [_requirement(part) for part in re.split(r",(?![^(]*\))", text) if part.strip()]
    return lambda item: all(
        _match_expression(item["metadata"].get("labels") or {}, expression) for expression in expressions
    )


def _requirement(part: str) -> Object:
    if found := _SET.match(part):
        values = [value.strip() for value in found[3].split(",")]
        return {"key": found[1], "operator": "In" if found[2] == "in" else "NotIn", "values": values}
    if found := _EQUAL.match(part):
        return {"key": found[1], "operator": "NotIn" if found[2] == "!=" else "In", "values": [found[3]]}
    if found := _EXISTS.match(part):
        return {"key": found[2], "operator": "DoesNotExist" if found[1] else "Exists"}
    raise bad_request(f"unable to parse requirement: {part!r} is not a label selector")


def parse_field_selector(kind: Kind, text: str) -> Matches:
    """`metadata.name=x,status.phase!=Running` as a predicate. Raises ApiError 400 for a field it cannot select by."""
    allowed = ("metadata.name", "metadata.namespace", *_FIELDS_OF.get(kind.plural, ()))
    tests: list[tuple[str, bool, str]] = []
    for part in filter(None, text.split(",")):
        found = _EQUAL.match(part)
        if not found:
            raise bad_request(f"invalid field selector: {part!r}")
        if found[1] not in allowed:
            raise bad_request(f'field label not supported: "{found[1]}"')
        tests.append((found[1], found[2] != "!=", found[3]))
    return lambda item: all((_field(item, path) == value) is equal for path, equal, value in tests)


def _field(item: Object, path: str) -> str:
    value: Any = item
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
