"""The operations that every resource of the table has: prepare, create, modify, delete, look up and check.

A repeated create finds by id, name or owner tag what an earlier attempt made (`finding`); a repeated delete takes
absence for done. External resources are looked up and left as they are. What only some resources do stands in their own
modules.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.operation import operation
from groundplan_aws import finding, notes, parameters
from groundplan_aws.client import CLIENT_TOKEN
from groundplan_aws.drift import differences
from groundplan_aws.failures import RefusedError, unless_gone
from groundplan_aws.newer import properties_of
from groundplan_aws.resource import POLLED, Clearing, dig, first
from groundplan_aws.tagging import OWNER_KEY, owner, pairs, specifications, token, wanted
from groundplan_aws.target import PREPARED, Target, configuration, merged, on_target, plain
from groundplan_aws.waiting import wait, wait_until_gone, wait_until_seen, wait_until_works

_ONE_BY_ONE: Final = "Attribute"
"""A modify call that names its attribute in this parameter is one call; the others take one attribute each."""
_SPECIFICATIONS: Final = "TagSpecifications"
_SECRETS: Final = frozenset({"ClientSecret", "client_secret"})
"""Fields of descriptions that hold a secret, wherever they stand."""


@operation()
def prepare(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Record the evaluated configuration as runtime property `resource_config`; an input of that name is for good."""
    if given := merged(inputs.get("resource_config")):
        ctx.instance.runtime_properties[PREPARED] = given
    ctx.instance.runtime_properties["resource_config"] = configuration(ctx, inputs)
    return None


@on_target
def create(target: Target) -> Data:
    """Make the resource, or find what an earlier attempt made; wait until it is ready; record what it is."""
    make(target)
    return None


@on_target
def modify(target: Target) -> Data:
    """Set the attributes given in the input `resource_config`; EC2 wants one call for each."""
    attributes = merged(target.inputs.get("resource_config"))
    if target.untouchable:
        _leave(target, "modified")
    elif not attributes:
        raise NonRecoverableError(f"{target.resource.modify}: give the attributes in the input resource_config")
    else:
        modify_attributes(target, attributes)
    return None


@on_target
def configure(target: Target) -> Data:
    """Set what the configuration gives for the modify call: fields that the create call does not take."""
    given = {name: target.config[name] for name in target.resource.later if target.config.get(name)}
    if given and not target.untouchable:
        modify_attributes(target, given)
    note(target, existing(target))
    return None


@on_target
def delete(target: Target) -> Data:
    """Remove the resource, wait until it is gone, and forget what was recorded."""
    if target.untouchable:
        _leave(target, "deleted")
    else:
        remove(_as_made(target))
    target.record.clear()
    return None


@on_target
def pull(target: Target) -> Data:
    """Record what the resource is now."""
    note(target, existing(target))
    return None


@on_target
def check_status(target: Target) -> Data:
    """Return the resource's state; one that is absent or does not do its work is an error."""
    description = existing(target)
    state = target.state_of(description)
    if not target.works(description):
        raise NonRecoverableError(f"{target} is {state}")
    return state or "present"


@on_target
def check_drift(target: Target) -> Data:
    """Return the fields that AWS tells otherwise than the configuration says: `{field: {expected, actual}}`."""
    actual = plain(existing(target))
    return {} if target.external or not isinstance(actual, dict) else differences(target.config, actual)


def make(target: Target) -> None:
    """Do what `create` does, for operations that go on from there."""
    if target.untouchable:
        adopt(target)
    else:
        settle(target, obtain(target)[0])


def adopt(target: Target) -> None:
    """Record an external resource as it is.

    Raises:
        NonRecoverableError: there is none of that id.
    """
    target.record["resource_config"] = dict(target.config)
    note(target, existing(target))


def existing(target: Target) -> dict[str, Any]:
    """Return the resource as AWS describes it.

    Raises:
        NonRecoverableError: there is none.
    """
    if target.id is None:
        raise NonRecoverableError(f"{target} has no id: give resource_id, or create it first")
    description = finding.brought(target) if target.external else target.describe(target.id)
    if description is None:
        raise NonRecoverableError(f"{target} does not exist")
    if not target.lives(description):
        raise NonRecoverableError(f"{target} is {target.state_of(description)}")
    return description


def obtain(target: Target) -> tuple[str, Mapping[str, Any] | None]:
    """Find or make the resource and record its id at once.

    Returns:
        The id, and what the create call answered if there was one.
    """
    found, answer = finding.surviving(target), None
    if found is None:
        try:
            answer = _make(target)
        except RefusedError:
            # The SDK sends a call again whose answer was lost; what the first one made may stand in the second's way.
            found = finding.surviving(target)
            if found is None:
                raise
    row = target.resource
    told = first(found or answer, (row.id_field,))
    identifier = str(told if told is not None else parameters.name(target))
    target.record["aws_resource_arn" if row.shown_id else "aws_resource_id"] = identifier
    if target.scope:
        target.record["scope"] = dict(target.scope)
    return identifier, answer


def settle(target: Target, identifier: str) -> None:
    """Wait until the resource is ready, record what it is, and set the attributes given to the create operation."""
    description = target.describe(identifier)
    if description is None or not target.works(description):
        _wait_until_ready(target, identifier)
        description = existing(target)
    note(target, description)
    modify_attributes(target, target.inputs.get(f"{target.resource.modify}_args") or {})


def note(target: Target, description: Mapping[str, Any]) -> None:
    """Record id, ARN, the description and whatever of it blueprints read by name."""
    row = target.resource
    target.record["aws_resource_id"] = str(description[row.shown_id or row.id_field])
    if row.arn or row.shown_id:
        target.record["aws_resource_arn"] = first(description, row.arn or (row.id_field,))
    for secret in _secrets(description):
        target.ctx.mask(secret)
    told = target.record.get("create_response") or {}
    kept = {name: told[name] for name in row.told_once if name in told}
    target.record["create_response"] = {**plain(description), **kept}
    notes.take(target, description)


def _secrets(described: Any) -> Iterator[str]:
    if isinstance(described, Mapping):
        for name, value in described.items():
            if isinstance(value, str) and value and name in _SECRETS:
                yield value
            else:
                yield from _secrets(value)
    elif isinstance(described, list):
        for value in described:
            yield from _secrets(value)


def modify_attributes(target: Target, attributes: Mapping[str, Any]) -> None:
    """Set attributes by the row's modify call."""
    row, method = target.resource, target.resource.modify
    if not attributes:
        return
    if not row.tagged_as:
        fixed = {**target.scoped(method), **_handle(target, str(target.id), method)}
        target.api.call(method, **target.api.written(method, attributes), **fixed)
        return
    fixed = {row.id_field: target.id}
    if _ONE_BY_ONE in attributes:
        target.api.call(method, **attributes, **fixed)
        return
    for name, value in attributes.items():
        if name != row.id_field:
            target.api.call(method, **{name: value}, **fixed)


def remove(target: Target) -> None:
    """Delete the resource, recorded or lost, and wait until it is gone.

    All that carries the owner tag goes: the SDK sends a create call again when no answer came, and without a client
    token AWS may have made two.
    """
    recorded = [target.id] if target.id else []
    living = [str(found[target.resource.id_field]) for found in finding.owned(target) if target.lives(found)]
    for identifier in dict.fromkeys([*recorded, *living]):
        _remove_one(target, identifier)
    finding.forget(target)


def _as_made(target: Target) -> Target:
    """A target whose configuration is that of its creation: the input of a deletion says how to delete, not what."""
    config = merged(target.record.get("resource_config")) or merged(
        properties_of(target.ctx.node).get("resource_config")
    )
    return replace(target, config=config or target.config)


def _remove_one(target: Target, identifier: str) -> None:
    row = target.resource
    if row.gone and _is_over(target, identifier):
        return
    handle = _handle(target, identifier, row.delete)
    if not handle:
        return
    with unless_gone():
        for clearing in row.clears:
            _clear(target, clearing, identifier)
        given = {**row.delete_with, **_given(target, row.delete)}
        target.api.call(row.delete, **{**given, **target.scoped(row.delete), **handle})
    if row.removed:
        wait_until_gone(target, row.removed, identifier)


def _is_over(target: Target, identifier: str) -> bool:
    """Whether there is nothing to delete; some services refuse to delete what is gone in words of their own."""
    description = target.describe(identifier)
    return description is None or (not target.resource.removed and not target.lives(description))


def _given(target: Target, method: str) -> dict[str, Any]:
    """What the input `resource_config` says of a call's own parameters (`SkipFinalSnapshot`)."""
    known = target.api.parameters(method)
    return {name: value for name, value in merged(target.inputs.get("resource_config")).items() if name in known}


def _clear(target: Target, clearing: Clearing, identifier: str) -> None:
    fixed = target.locator(identifier)
    for answer in target.api.pages(clearing.listing, **fixed):
        for value in dig(answer, clearing.at):
            target.api.call(clearing.call, **fixed, **{clearing.parameter: value})


def _handle(target: Target, identifier: str, method: str) -> dict[str, Any]:
    """The parameter by which a call knows the resource; empty when the resource is gone already."""
    row = target.resource
    parameter = row.delete_parameter or row.delete_field or row.id_field
    if not row.delete_field:
        return {parameter: target.as_parameter(method, parameter, identifier)}
    found = first(target.describe(identifier), (row.delete_field,))
    return {} if found is None else {parameter: target.as_parameter(method, parameter, str(found))}


def _make(target: Target) -> Any:
    row = target.resource
    finding.refuse_taken(target)
    given = parameters.build(target)
    tags = target.api.tag_parameter(row.create)
    if row.tagged_as:
        holder = target.api.holder(row.create, _SPECIFICATIONS)
        place = given if not holder else dict(given.get(holder) or {})
        place[_SPECIFICATIONS] = specifications(target.ctx, row.tagged_as, place.get(_SPECIFICATIONS))
        given |= {holder: place} if holder else {}
    elif tags is not None:
        given[tags.name] = tags.holding({**pairs(given.get(tags.name)), **wanted(target.ctx)})
    if row.marks:
        given[row.marks] = f"{finding.mark(target)}-{token(target.ctx, ())[:24]}"
    _recognisable(target, given)
    target.ctx.logger.info(f"creating {row.label} ({OWNER_KEY} = {owner(target.ctx)})")
    finding.intend(target)
    return first(_send(target, given), row.made)


def _recognisable(target: Target, given: dict[str, Any]) -> None:
    """Put in the token by which AWS knows a repeated request, where the call or a structure in it takes one."""
    row, api = target.resource, target.api
    name = api.token_parameter(row.create)
    holder = "" if name else api.holder(row.create, CLIENT_TOKEN)
    if name or holder:
        gone = [str(found[row.id_field]) for found in finding.owned(target)]
        place = dict(given.get(holder) or {}) if holder else given
        place.setdefault(name or CLIENT_TOKEN, token(target.ctx, gone))
        given |= {holder: place} if holder else {}


def _send(target: Target, given: Mapping[str, Any]) -> Any:
    """Call, and put tags on what the call could not tag. A refusal leaves nothing to remember."""
    row = target.resource
    try:
        answer = target.api.call(row.create, **given)
    except RefusedError:
        finding.forget(target)
        raise
    if row.tag_writing is not None:
        _tag(target, answer)
    return answer


def _tag(target: Target, answer: Any) -> None:
    row, call = target.resource, target.resource.tag_writing
    if call is None:
        return
    made = first(answer, row.made)
    found = made if first(made, call.told) else {call.told[0]: parameters.name(target)}
    shown: Any = [{"Key": key, "Value": value} for key, value in wanted(target.ctx).items()]
    for key in reversed(call.at[1:]):
        shown = {key: shown}
    target.api.call(call.method, **finding.tag_call(call, target, found), **{call.at[0]: shown})


def _wait_until_ready(target: Target, identifier: str) -> None:
    row = target.resource
    if row.ready and row.ready != POLLED:
        wait(target, row.ready, identifier)
    elif row.healthy:
        wait_until_works(target, identifier)
    else:
        wait_until_seen(target, identifier)


def _leave(target: Target, act: str) -> None:
    target.ctx.logger.info(f"{target} is external and is not {act}")
