"""The three patch formats besides apply: JSON Patch, JSON Merge Patch, strategic merge patch.

Sources: RFC 6902, RFC 7386, and Kubernetes' "Strategic Merge Patch" (directives `$patch`, `$retainKeys`,
`$setElementOrder/NAME`, `$deleteFromPrimitiveList/NAME`). Every function returns a new object.
"""

from __future__ import annotations

import copy
from typing import Any

from groundplan_sandbox.kubernetes.kinds import Object
from groundplan_sandbox.kubernetes.status import ApiError, bad_request
from groundplan_sandbox.kubernetes.structure import ListRule, Path, field, list_rule

_ORDER = "$setElementOrder/"
_DELETE = "$deleteFromPrimitiveList/"


def json_patch(item: Any, operations: Any) -> Any:
    """RFC 6902. Raises ApiError 400 for a malformed operation, 422 for one that does not fit the object."""
    if not isinstance(operations, list):
        raise bad_request("a JSON patch is a list of operations")
    result = copy.deepcopy(item)
    for operation in operations:
        if not isinstance(operation, dict) or "op" not in operation or "path" not in operation:
            raise bad_request(f"not a JSON patch operation: {operation!r}")
        result = _operate(result, operation)
    return result


def _operate(document: Any, operation: Object) -> Any:
    path = _pointer(operation["path"])
    match operation["op"]:
        case "add":
            return _add(document, path, operation.get("value"))
        case "replace":
            _look(document, path)
            return _add(_cut(document, path), path, operation.get("value")) if path else operation.get("value")
        case "remove":
            return _cut(document, path)
        case "test":
            if _look(document, path) != operation.get("value"):
                raise _unfit(f"testing value {operation['path']} failed")
            return document
        case "copy":
            return _add(document, path, copy.deepcopy(_look(document, _pointer(operation["from"]))))
        case "move":
            source = _pointer(operation["from"])
            value = _look(document, source)
            return _add(_cut(document, source), path, value)
        case unknown:
            raise bad_request(f"unexpected JSON patch operation {unknown!r}")


def _unfit(message: str) -> ApiError:
    return ApiError(422, "Invalid", f"the server rejected our request due to an error in our request: {message}")


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise bad_request(f"not a JSON pointer: {text!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _look(document: Any, path: list[str]) -> Any:
    for part in path:
        try:
            document = document[int(part)] if isinstance(document, list) else document[part]
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise _unfit(f"there is no value at /{'/'.join(path)}") from error
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _look(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        if last != "-" and not (last.isdigit() and int(last) <= len(parent)):
            raise _unfit(f"no place {last!r} in a list of {len(parent)}")
        parent.insert(len(parent) if last == "-" else int(last), value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise _unfit(f"/{'/'.join(path[:-1])} holds no fields")
    return document


def _cut(document: Any, path: list[str]) -> Any:
    _look(document, path)
    parent = _look(document, path[:-1])
    if isinstance(parent, list):
        del parent[int(path[-1])]
    else:
        del parent[path[-1]]
    return document


def merge_patch(item: Any, patch: Any) -> Any:
    """RFC 7386: maps merge, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(item) if isinstance(item, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def strategic_merge_patch(item: Any, patch: Any) -> Any:
    """Kubernetes' own merge: like RFC 7386, but lists with a merge key merge item by item."""
    return _strategic_map(item if isinstance(item, dict) else {}, patch, ())


def _strategic_map(item: Object, patch: Object, path: Path) -> Object:
    if not isinstance(patch, dict):
        raise bad_request("a strategic merge patch is an object")
    patch = dict(patch)
    if patch.pop("$patch", None) == "replace":
        return dict(_without_directives(patch))
    result = dict(item)
    retained = patch.pop("$retainKeys", None)
    if retained is not None:
        result = {name: value for name, value in result.items() if name in retained}
    orders = {name.removeprefix(_ORDER): patch.pop(name) for name in list(patch) if name.startswith(_ORDER)}
    for name in [name for name in patch if name.startswith(_DELETE)]:
        doomed, target = patch.pop(name), name.removeprefix(_DELETE)
        result[target] = [value for value in result.get(target, []) if value not in doomed]
    for name, value in patch.items():
        _strategic_field(result, name, value, (*path, field(name)))
    for name, order in orders.items():
        if isinstance(result.get(name), list):
            result[name] = _ordered(result[name], order, (*path, field(name)))
    return result


def _strategic_field(result: Object, name: str, value: Any, path: Path) -> None:
    if value is None or (isinstance(value, dict) and value.get("$patch") == "delete"):
        result.pop(name, None)
    elif isinstance(value, dict):
        old = result.get(name)
        result[name] = _strategic_map(old if isinstance(old, dict) else {}, value, path)
    elif isinstance(value, list):
        result[name] = _strategic_list(result.get(name) or [], value, path)
    else:
        result[name] = value


def _merge_key(path: Path) -> str | None:
    rule = list_rule(path)
    return None if isinstance(rule, ListRule) else rule[0]


def _strategic_list(old: list[Any], patch: list[Any], path: Path) -> list[Any]:
    key = _merge_key(path)
    if key is None:
        if list_rule(path) is ListRule.SET:
            return [*old, *(value for value in patch if value not in old)]
        return [_without_directives(value) for value in patch]
    if any(isinstance(each, dict) and each.get("$patch") == "replace" for each in patch):
        return [_without_directives(each) for each in patch if set(each) != {"$patch"}]
    result = list(old)
    for each in patch:
        if not isinstance(each, dict) or key not in each:
            raise bad_request(f"an item of {path[-1][2:]} has no {key}, by which such items are merged")
        _merge_item(result, each, key, path)
    return result


def _merge_item(result: list[Any], patch: Object, key: str, path: Path) -> None:
    places = [index for index, each in enumerate(result) if each.get(key) == patch[key]]
    if patch.get("$patch") == "delete":
        for index in reversed(places):
            del result[index]
    elif places:
        result[places[0]] = _strategic_map(result[places[0]], patch, (*path, "k:"))
    else:
        result.append(_without_directives(patch))


def _ordered(items: list[Any], order: list[Any], path: Path) -> list[Any]:
    key = _merge_key(path)
    if key is None and any(isinstance(each, dict) for each in order):
        return items
    rank = {(each.get(key) if key and isinstance(each, dict) else each): place for place, each in enumerate(order)}

    def place(item: Any) -> int:
        return rank.get(item.get(key) if key and isinstance(item, dict) else item, len(rank))

    return sorted(items, key=place)


def _is_directive(name: str) -> bool:
    return name in ("$patch", "$retainKeys") or name.startswith((_ORDER, _DELETE))


def _without_directives(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_directives(v) for k, v in value.items() if not _is_directive(k) and v is not None}
    return [_without_directives(each) for each in value] if isinstance(value, list) else value
