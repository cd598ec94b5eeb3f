"""Small questions about an object's metadata: time stamps, names, owners, conditions.

Everything here reads or builds a value; storing is for `api`.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from groundplan_sandbox.kubernetes.kinds import Kind, Object

_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def timestamp() -> str:
    """Now, as metadata writes it: RFC 3339 in UTC, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def age_in_seconds(text: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds()


def random_suffix(length: int = 5) -> str:
    """Letters and digits that spell no word, as generateName appends them."""
    return "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(length))


def is_deleting(item: Object) -> bool:
    return "deletionTimestamp" in item["metadata"]


def owner_reference(kind: Kind, owner: Object) -> Object:
    metadata = owner["metadata"]
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owners_of(item: Object) -> list[Object]:
    return list(item["metadata"].get("ownerReferences") or [])


def controller_of(item: Object) -> Object | None:
    """The ownerReference that says `controller: true`, if any."""
    return next((owner for owner in owners_of(item) if owner.get("controller")), None)


def is_controlled_by(item: Object, owner: Object) -> bool:
    reference = controller_of(item)
    return reference is not None and reference["uid"] == owner["metadata"]["uid"]


def condition_of(item: Object, condition_type: str) -> Object | None:
    conditions: list[Object] = (item.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each["type"] == condition_type), None)


def is_ready(pod: Object) -> bool:
    found = condition_of(pod, "Ready")
    return found is not None and found["status"] == "True"


def with_condition(conditions: list[Object], condition: Object, *, updated: bool = False) -> list[Object]:
    """Conditions with one of them set; its transition time moves only when its status does.

    `updated` adds lastUpdateTime, which Deployments have and Pods have not.
    """
    old = next((each for each in conditions if each["type"] == condition["type"]), None)
    if old is not None and all(old.get(key) == value for key, value in condition.items()):
        return conditions
    now = timestamp()
    same = old is not None and old["status"] == condition["status"]
    times: dict[str, Any] = {"lastTransitionTime": old["lastTransitionTime"] if old and same else now}
    if updated:
        times["lastUpdateTime"] = now
    fresh = condition | times
    if old is None:
        return [*conditions, fresh]
    return [fresh if each is old else each for each in conditions]
