"""The schema of a custom kind, applied to its objects: unknown fields found, defaults filled in, faults named.

The part of OpenAPI v3 that CustomResourceDefinitions use most, with the API server's wording. Rules in CEL
(`x-kubernetes-validations`) and formats are not checked. Built-in kinds have `decoding`, `defaults` and `validation`.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from groundplan_sandbox.kubernetes.status import Cause, invalid_value, required, unsupported

Schema = Mapping[str, Any]

_KEPT_AT_ROOT = frozenset({"apiVersion", "kind", "metadata"})
_FREE = "x-kubernetes-preserve-unknown-fields"
_EITHER = "x-kubernetes-int-or-string"
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}


def pruned(schema: Schema, item: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The object without fields that its schema does not have, and where those were: `spec.sise`."""
    unknown: list[str] = []
    head = {name: item[name] for name in item if name in _KEPT_AT_ROOT}
    rest = {name: value for name, value in item.items() if name not in _KEPT_AT_ROOT}
    return head | _pruned(schema, rest, "", unknown), unknown


def _pruned(schema: Schema, value: Any, path: str, unknown: list[str]) -> Any:
    if isinstance(value, list):
        items = schema.get("items") or {_FREE: True}
        return [_pruned(items, each, f"{path}[{index}]", unknown) for index, each in enumerate(value)]
    if not isinstance(value, dict) or schema.get("x-kubernetes-embedded-resource"):
        return value
    kept: dict[str, Any] = {}
    for name, inner in value.items():
        place = f"{path}.{name}" if path else str(name)
        below = _below(schema, name)
        if below is None:
            unknown.append(place)
        else:
            kept[name] = _pruned(below, inner, place, unknown)
    return kept


def _below(schema: Schema, name: str) -> Schema | None:
    """The schema of a field; None for one that is not known."""
    properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
    if name in properties:
        return properties[name] or {_FREE: True}
    if isinstance(more, dict):
        return more or {_FREE: True}
    # Where nothing is said of what is inside, everything may be.
    return {_FREE: True} if schema.get(_FREE) or more is True else None


def fill_defaults(schema: Schema, value: Any) -> None:
    """Add what the schema gives to fields that are absent, in place."""
    if isinstance(value, list):
        for each in value:
            fill_defaults(schema.get("items") or {}, each)
    if not isinstance(value, dict):
        return
    for name, inner in (schema.get("properties") or {}).items():
        if name not in value and inner.get("default") is not None:
            value[name] = copy.deepcopy(inner["default"])
    for name, each in value.items():
        fill_defaults(_below(schema, name) or {}, each)


def faults(schema: Schema, item: Mapping[str, Any]) -> Iterator[Cause]:
    """What the schema refuses in an object."""
    yield from _faults(schema, {name: value for name, value in item.items() if name != "metadata"}, "")


def _faults(schema: Schema, value: Any, path: str) -> Iterator[Cause]:
    expected = schema.get("type")
    if schema.get(_EITHER) and isinstance(value, int | str):
        return
    if expected in _TYPES and not _is_of(expected, value):
        yield _wrong(path, _type_of(value), f"must be of type {expected}: {json.dumps(_type_of(value))}")
        return
    if schema.get("enum") and value not in schema["enum"]:
        yield unsupported(path, value, [str(each) for each in schema["enum"]])
    for rule, broken in _RULES.items():
        if rule in schema and (why := broken(schema[rule], value)):
            yield _wrong(path, value, why)
    if isinstance(value, dict):
        yield from _inside(schema, value, path)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _faults(schema.get("items") or {}, each, f"{path}[{index}]")


def _inside(schema: Schema, value: Mapping[str, Any], path: str) -> Iterator[Cause]:
    for name in schema.get("required") or ():
        if name not in value:
            yield required(f"{path}.{name}" if path else name)
    for name, each in value.items():
        below = _below(schema, name)
        if below is not None:
            yield from _faults(below, each, f"{path}.{name}" if path else str(name))


def _wrong(path: str, value: Any, why: str) -> Cause:
    return invalid_value(path, value, f"{path} in body {why}")


def _is_of(expected: str, value: Any) -> bool:
    if isinstance(value, bool):
        return expected == "boolean"
    if expected == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[expected])


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return next((name for name, types in _TYPES.items() if isinstance(value, types)), "null")


def _number(fits: Callable[[Any, Any], bool], words: str) -> Callable[[Any, Any], str]:
    def check(limit: Any, value: Any) -> str:
        counts = isinstance(value, int | float) and not isinstance(value, bool)
        return f"should be {words} {limit}" if counts and not fits(value, limit) else ""

    return check


def _length(of: type, fits: Callable[[int, int], bool], words: str) -> Callable[[Any, Any], str]:
    def check(limit: Any, value: Any) -> str:
        return words.format(limit) if isinstance(value, of) and not fits(len(value), limit) else ""  # type: ignore[arg-type]

    return check


def _pattern(pattern: str, value: Any) -> str:
    try:
        found = not isinstance(value, str) or re.search(pattern, value)
    except re.error:
        # Go's patterns are not quite Python's; what cannot be read here is not held against the object.
        return ""
    return "" if found else f"should match '{pattern}'"


_RULES: dict[str, Callable[[Any, Any], str]] = {
    "minimum": _number(lambda value, limit: value >= limit, "greater than or equal to"),
    "maximum": _number(lambda value, limit: value <= limit, "less than or equal to"),
    "minLength": _length(str, lambda size, limit: size >= limit, "should be at least {} chars long"),
    "maxLength": _length(str, lambda size, limit: size <= limit, "should be at most {} chars long"),
    "minItems": _length(list, lambda size, limit: size >= limit, "should have at least {} items"),
    "maxItems": _length(list, lambda size, limit: size <= limit, "should have at most {} items"),
    "pattern": _pattern,
}
