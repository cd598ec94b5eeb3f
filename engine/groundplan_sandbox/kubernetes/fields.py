"""Sets of field paths: what an object sets, what differs between two objects, and the FieldsV1 form of both.

This is the arithmetic under server-side apply (KEP-555, "Fields V1"); `apply` decides with it who owns what.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from groundplan_sandbox.kubernetes.kinds import Object
from groundplan_sandbox.kubernetes.structure import (
    ListRule,
    Path,
    field,
    is_atomic_map,
    keyed_items,
    list_rule,
    set_member,
)

FieldSet = frozenset[Path]

_UNOWNED = frozenset(
    field(name)
    for name in (
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "managedFields",
        "generateName",
    )
)


def leaves(item: Object) -> dict[Path, Any]:
    """Every path an object sets, with its value. Items of keyed lists appear themselves, with value None.

    The parts of metadata that identify an object, its apiVersion and kind belong to nobody and are left out.
    """
    found: dict[Path, Any] = {}
    for name, value in item.items():
        if name not in ("apiVersion", "kind"):
            _walk(value, (field(name),), found)
    return {path: value for path, value in found.items() if not _is_unowned(path)}


def _is_unowned(path: Path) -> bool:
    return path[0] == "f:metadata" and (len(path) == 1 or path[1] in _UNOWNED)


def _walk(value: Any, path: Path, found: dict[Path, Any]) -> None:
    if isinstance(value, dict) and value and not is_atomic_map(path):
        for name, inner in value.items():
            _walk(inner, (*path, field(name)), found)
    elif isinstance(value, list) and value:
        _walk_list(value, path, found)
    else:
        found[path] = value


def _walk_list(items: list[Any], path: Path, found: dict[Path, Any]) -> None:
    rule = list_rule(path)
    if rule is ListRule.SET:
        found.update({(*path, set_member(value)): value for value in items})
        return
    keyed = None if isinstance(rule, ListRule) else keyed_items(items, rule)
    if keyed is None:
        found[path] = items
        return
    for key, item in keyed.items():
        found[(*path, key)] = None
        _walk(item, (*path, key), found)


def changed(old: dict[Path, Any], new: dict[Path, Any]) -> FieldSet:
    """Paths added or given another value."""
    return frozenset(path for path, value in new.items() if path not in old or old[path] != value)


def covers(owned: Iterable[Path], path: Path) -> bool:
    """Whether a field set owns `path` itself or anything below it."""
    return any(each[: len(path)] == path for each in owned)


def to_fields_v1(paths: Iterable[Path]) -> Object:
    """The nested FieldsV1 object of a set; a path that has others below it is marked by "."."""
    root: Object = {}
    owned = frozenset(paths)
    for path in sorted(owned):
        node = root
        for depth, part in enumerate(path, start=1):
            node = node.setdefault(part, {})
            if depth < len(path) and path[:depth] in owned:
                node["."] = {}
    return root


def from_fields_v1(tree: Object) -> FieldSet:
    """The paths that a FieldsV1 object holds."""
    found: set[Path] = set()
    _collect(tree, (), found)
    return frozenset(found)


def _collect(node: Object, path: Path, found: set[Path]) -> None:
    if not node and path:
        found.add(path)
    for part, inner in node.items():
        if part == ".":
            found.add(path)
        else:
            _collect(inner, (*path, part), found)
