"""Finds what a node instance made, with or without a record, and tells it from what somebody else made.

The owner tag decides wherever AWS keeps one. For kinds without tags, and between a creation and its tagging, it is what
the deployment remembers: the name, written down before the create call was sent.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws import parameters
from groundplan_aws.failures import RefusedError
from groundplan_aws.resource import Path, TagCall, dig, first
from groundplan_aws.tagging import OWNER_KEY, owner, owner_in
from groundplan_aws.target import Target


def surviving(target: Target) -> dict[str, Any] | None:
    """Return what an earlier attempt made, if it still counts."""
    known = target.id
    if known is not None:
        description = target.describe(known)
        if description is not None and target.lives(description):
            return description
    return next((found for found in owned(target) if target.lives(found)), None)


def owned(target: Target) -> list[dict[str, Any]]:
    """Return all that this instance made, living or gone, recorded or lost."""
    row = target.resource
    if row.tagged_as:
        return _tagged(target)
    if row.name or row.same:
        found = named(target)
        return [found] if found is not None and claims(target, found) else []
    ours = [found for found in target.listed() if claims(target, found)]
    if not row.listing:
        return ours
    return [full for found in ours if (full := target.describe(str(found[row.id_field]))) is not None]


def named(target: Target, name: str = "") -> dict[str, Any] | None:
    """Return the resource that has the name of this one (or, for kinds without names, is the same), whoever made it.

    Args:
        name: another name to look for.
    """
    row = target.resource
    if row.name and row.names:
        return target.look(row.names, name or parameters.name(target))
    if row.name and row.ids and not row.listing:
        return target.describe(name or parameters.name(target))
    if row.within and not target.scope:
        return None
    known = parameters.build(target)
    for found in target.listed():
        if _is(target, found, known, name):
            return target.describe(str(found[row.id_field])) if row.listing else found
    return None


def brought(target: Target) -> dict[str, Any] | None:
    """Return the external resource that the author names by its id, its ARN or its name."""
    row, given = target.resource, str(target.id)
    if row.name and row.listing and ":" not in given:
        return named(target, given)
    return target.describe(given)


def claims(target: Target, description: Mapping[str, Any]) -> bool:
    """Whether a described resource is this instance's: by its owner tag or mark, else by what is remembered."""
    row = target.resource
    if row.marks:
        return str(description.get(row.marks, "")).startswith(mark(target))
    tagged = owner_in(description) or _read_owner(target, description)
    if tagged is not None:
        return tagged == owner(target.ctx)
    return target.ctx.remembered.get(_key(target)) == _told(target)


def mark(target: Target) -> str:
    """Return the beginning of the create call's parameter that marks a resource as this instance's."""
    return sha256(owner(target.ctx).encode()).hexdigest()[:24]


def refuse_taken(target: Target) -> None:
    """See to it that a create call which replaces or returns what is there meets nothing of somebody else's.

    Raises:
        NonRecoverableError: the name is taken.
    """
    found = named(target) if target.resource.puts else None
    if found is not None and target.lives(found):
        raise NonRecoverableError(
            f"{target.resource.label} {_told(target)} exists already, and this node instance "
            "did not make it: take another name, or set use_external_resource"
        )


def intend(target: Target) -> None:
    """Remember what is about to be made, for kinds that cannot carry the owner tag from their first moment."""
    if not tagged_at_creation(target):
        target.ctx.remembered[_key(target)] = _told(target)


def forget(target: Target) -> None:
    """Forget what was to be made."""
    target.ctx.remembered.pop(_key(target), None)


def tagged_at_creation(target: Target) -> bool:
    """Whether the create call puts the owner tag on."""
    return (
        bool(target.resource.tagged_as or target.resource.marks)
        or target.api.tag_parameter(target.resource.create) is not None
    )


def tag_call(call: TagCall, target: Target, description: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that name a described resource to a call for its tags."""
    value = target.as_parameter(call.method, call.parameter, first(description, call.told))
    return {**call.fixed, call.parameter: value}


def _tagged(target: Target) -> list[dict[str, Any]]:
    """Ask EC2 for what carries the owner tag.

    The tags are looked at here too: a call, or an endpoint, without the filter answers with everybody's resources.
    """
    row = target.resource
    known = target.api.parameters(row.describe)
    wanted = [{"Name": f"tag:{OWNER_KEY}", "Values": [owner(target.ctx)]}]
    narrow = {name: wanted for name in ("Filters", "Filter") if name in known}
    pages = target.api.pages(row.describe, **row.describe_with, **narrow)
    return [found for page in pages for found in dig(page, row.listed) if owner_in(found) == owner(target.ctx)]


def _read_owner(target: Target, description: Mapping[str, Any]) -> str | None:
    call = target.resource.tag_reading
    if call is None or not first(description, call.told):
        return None
    try:
        answer = target.api.call(call.method, **tag_call(call, target, description))
    except RefusedError as error:
        if error.refusal.absent:
            return None
        raise
    return owner_in({"Tags": _at(answer, call.at)})


def _at(answer: Any, path: Path) -> Any:
    """What stands at a path, unopened: tags may be a list or a map. The first item of a list on the way is entered."""
    for key in path:
        answer = answer[0] if isinstance(answer, list) and answer else answer
        answer = answer.get(key) if isinstance(answer, Mapping) else None
    return answer


def _is(target: Target, found: Mapping[str, Any], known: Mapping[str, Any], name: str) -> bool:
    """Whether a listed item has the name, or agrees in the fields that no two resources share."""
    row = target.resource
    if not row.name:
        return all(str(found.get(field)) == str(known.get(field)) for field in row.same)
    wanted = name or first(known, row.name)
    return wanted in (found.get(row.name[-1]), re.split("[:/]", str(found[row.id_field]))[-1])


def _key(target: Target) -> str:
    return f"aws/{target.instance_id}/{target.resource.label}"


def _told(target: Target) -> str:
    known = parameters.build(target)
    identity = (
        [first(known, target.resource.name)] if target.resource.name else [known.get(n) for n in target.resource.same]
    )
    return "/".join(map(str, [*target.scope.values(), *identity]))
