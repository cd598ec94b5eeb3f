"""Server-side apply and field ownership: merge a configuration into an object, find conflicts, keep managedFields.

Rules: Kubernetes, "Server-Side Apply" (ownership, conflicts, force, removal of fields nobody owns any more). It is
pure: it takes objects and returns objects. `api` stores them.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from groundplan_sandbox.kubernetes.fields import FieldSet, changed, covers, from_fields_v1, leaves, to_fields_v1
from groundplan_sandbox.kubernetes.kinds import Object
from groundplan_sandbox.kubernetes.status import ApiError, Cause
from groundplan_sandbox.kubernetes.structure import (
    ListRule,
    Path,
    field,
    is_atomic_map,
    item_key,
    keyed_items,
    list_rule,
    set_member,
)


@dataclass(frozen=True, kw_only=True)
class Manager:
    """Who writes: its name, Apply or Update, and through which subresource ("" for the object itself)."""

    name: str
    operation: str = "Update"
    subresource: str = ""


@dataclass(frozen=True, kw_only=True)
class _Share:
    fields: FieldSet
    time: str


Ownership = dict[Manager, _Share]


def read_ownership(item: Object) -> Ownership:
    """The managedFields of an object. A manager writes one entry; its fields are read from FieldsV1."""
    found: Ownership = {}
    for entry in item["metadata"].get("managedFields") or []:
        manager = Manager(
            name=entry.get("manager", ""),
            operation=entry.get("operation", "Update"),
            subresource=entry.get("subresource", ""),
        )
        found[manager] = _Share(fields=from_fields_v1(entry.get("fieldsV1") or {}), time=entry.get("time", ""))
    return found


def with_ownership(item: Object, ownership: Ownership) -> Object:
    entries = []
    for manager, share in ownership.items():
        entry: Object = {"manager": manager.name, "operation": manager.operation, "apiVersion": item["apiVersion"]}
        entry |= {"time": share.time, "fieldsType": "FieldsV1", "fieldsV1": to_fields_v1(share.fields)}
        if manager.subresource:
            entry["subresource"] = manager.subresource
        if share.fields:
            entries.append(entry)
    metadata = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    return item | {"metadata": metadata | ({"managedFields": entries} if entries else {})}


def with_first_owner(item: Object) -> Object:
    """An object of which nobody keeps record, as apply sees it: all of it belongs to whoever wrote it before."""
    if item["metadata"].get("managedFields"):
        return item
    share = _Share(fields=frozenset(leaves(item)), time=item["metadata"]["creationTimestamp"])
    return with_ownership(item, {Manager(name="before-first-apply"): share})


def changed_by(old: Object, new: Object) -> FieldSet:
    """The fields that a write changes."""
    return changed(leaves(old), leaves(new))


def owns_any(ownership: Ownership, fields: FieldSet) -> bool:
    """Whether somebody manages one of these fields."""
    return any(share.fields & fields for share in ownership.values())


def without_times(item: Object) -> Object:
    """The object as it is without the times in managedFields: a write that changes only those changes nothing."""
    entries = [{**entry, "time": ""} for entry in item["metadata"].get("managedFields") or []]
    return item | {"metadata": item["metadata"] | {"managedFields": entries}}


def own_update(old: Object | None, new: Object, manager: Manager, ownership: Ownership, now: str) -> Ownership:
    """Ownership after a write that is no apply: the writer takes what it changed, and what is gone is nobody's."""
    before, after = leaves(old) if old else {}, leaves(new)
    taken = changed(before, after)
    result: Ownership = {}
    for each, share in ownership.items():
        kept = frozenset(path for path in share.fields if _still_there(path, after) and (path not in taken))
        if each == manager:
            kept = kept | taken
        result[each] = _Share(fields=kept, time=now if kept != share.fields else share.time)
    if taken and manager not in result:
        result[manager] = _Share(fields=taken, time=now)
    return result


def _still_there(path: Path, after: dict[Path, Any]) -> bool:
    return path in after or covers(after, path)


@dataclass(frozen=True, kw_only=True)
class Applied:
    object: Object
    ownership: Ownership


def apply_configuration(live: Object, config: Object, manager: Manager, *, force: bool, now: str) -> Applied:
    """Merge `config` into `live` for `manager`.

    A field that the manager applied before and no longer mentions is removed when nobody else owns it.
    Raises ApiError 409 when a field whose value would change is owned by another manager, unless `force`.
    """
    ownership = read_ownership(live)
    wanted = frozenset(leaves(config))
    merged = _merge_map(live, config, ())
    before = ownership[manager].fields if manager in ownership else frozenset()
    others = {each: share for each, share in ownership.items() if each != manager}
    merged = _drop(merged, before - wanted, [share.fields for share in others.values()])
    touched = changed(leaves(live), leaves(merged)) & wanted
    if not force:
        _refuse_conflicts(touched - _handed_over(live, manager), others, live["apiVersion"])
    result = {each: _Share(fields=share.fields - touched, time=share.time) for each, share in others.items()}
    after = leaves(merged)
    for each, share in result.items():
        result[each] = _Share(fields=frozenset(p for p in share.fields if _still_there(p, after)), time=share.time)
    same = manager in ownership and before == wanted and not touched
    result[manager] = _Share(fields=wanted, time=ownership[manager].time if same else now)
    return Applied(object=merged, ownership=result)


_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def _handed_over(live: Object, manager: Manager) -> FieldSet:
    """What `kubectl apply` set before its user turned to server-side apply: kubectl does not conflict with itself."""
    text = (live["metadata"].get("annotations") or {}).get(_LAST_APPLIED)
    if manager.name != "kubectl" or text is None:
        return frozenset()
    try:
        return frozenset(leaves(json.loads(text)))
    except (ValueError, AttributeError):
        # The annotation is free text of the user's: what cannot be read hands nothing over.
        return frozenset()


def _refuse_conflicts(touched: FieldSet, others: Ownership, api_version: str) -> None:
    clashes = {manager: sorted(share.fields & touched) for manager, share in others.items() if share.fields & touched}
    if not clashes:
        return
    causes = [
        Cause(reason="FieldManagerConflict", message=f"conflict with {_describe(manager, api_version)}", field=where)
        for manager, paths in clashes.items()
        for where in map(readable, paths)
    ]
    if len(causes) == 1:
        text = f"{causes[0].message}: {causes[0].field}"
    else:
        text = "\n".join(
            "\n- ".join([f"conflicts with {_describe(manager, api_version)}:", *map(readable, paths)])
            for manager, paths in clashes.items()
        )
    plural = "conflict" if len(causes) == 1 else "conflicts"
    raise ApiError(409, "Conflict", f"Apply failed with {len(causes)} {plural}: {text}", causes=causes)


def _describe(manager: Manager, api_version: str) -> str:
    through = f' with subresource "{manager.subresource}"' if manager.subresource else ""
    return f'"{manager.name}"{through}' + (f" using {api_version}" if manager.operation == "Update" else "")


def readable(path: Path) -> str:
    """`.spec.template.spec.containers[name="web"].image` for a path."""
    text = ""
    for part in path:
        kind, _, rest = part.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            text += "[" + ",".join(f"{k}={json.dumps(v)}" for k, v in json.loads(rest).items()) + "]"
        else:
            text += f"[={rest}]"
    return text


def _merge_map(live: Any, config: Object, path: Path) -> Object:
    if not isinstance(live, dict) or is_atomic_map(path):
        return copy.deepcopy(config)
    result = dict(live)
    for name, value in config.items():
        result[name] = _merge_value(live.get(name), value, (*path, field(name)))
    return result


def _merge_value(live: Any, config: Any, path: Path) -> Any:
    if isinstance(config, dict):
        return _merge_map(live, config, path)
    if isinstance(config, list) and isinstance(live, list):
        return _merge_list(live, config, path)
    return copy.deepcopy(config)


def _merge_list(live: list[Any], config: list[Any], path: Path) -> list[Any]:
    rule = list_rule(path)
    if rule is ListRule.SET:
        return [*live, *(value for value in config if value not in live)]
    if isinstance(rule, ListRule):
        return copy.deepcopy(config)
    old, new = keyed_items(live, rule), keyed_items(config, rule)
    if old is None or new is None:
        return copy.deepcopy(config)
    merged = {key: _merge_value(old.get(key), item, (*path, key)) for key, item in new.items()}
    return list((old | merged).values())


def _drop(item: Object, paths: Iterable[Path], owned_by_others: list[FieldSet]) -> Object:
    doomed = {path for path in paths if not any(covers(owned, path) for owned in owned_by_others)}
    result = copy.deepcopy(item) if doomed else item
    for path in doomed:
        if not any(path[:length] in doomed for length in range(1, len(path))):
            _remove(result, path, ())
    return result


def _remove(node: Any, path: Path, done: Path) -> None:
    part, rest = path[0], path[1:]
    if isinstance(node, dict):
        _remove_field(node, part[2:], rest, (*done, part))
    elif isinstance(node, list):
        _remove_item(node, part, rest, done)


def _remove_field(node: Object, name: str, rest: Path, done: Path) -> None:
    if name not in node:
        return
    if rest:
        _remove(node[name], rest, done)
    if not rest or node[name] in ({}, []):
        del node[name]


def _remove_item(items: list[Any], part: str, rest: Path, done: Path) -> None:
    rule = list_rule(done)
    for index, each in enumerate(items):
        found = set_member(each) if isinstance(rule, ListRule) else item_key(each, rule)
        if found == part:
            if rest:
                _remove(each, rest, (*done, part))
            else:
                del items[index]
            return
