"""The operations that every resource of the table has: prepare, create, modify, delete, look up and check.

A repeated create finds by id, name or owner tag what an earlier attempt made; a repeated delete takes absence for done.
External resources are looked up and left as they are. What only some resources do stands in their own modules.
"""

from collections.abc import Mapping
from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.operation import operation
from groundplan_aws import notes
from groundplan_aws.failures import RefusedError
from groundplan_aws.resource import first
from groundplan_aws.tagging import OWNER_KEY, owner, specifications, token
from groundplan_aws.target import Target, configuration, merged, on_target, plain
from groundplan_aws.waiting import wait, wait_until_gone, wait_until_seen

_ONE_BY_ONE: Final = "Attribute"
"""A modify call that names its attribute in this parameter is one call; the others take one attribute each."""


@operation()
def prepare(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Record the evaluated configuration as runtime property `resource_config`."""
    ctx.instance.runtime_properties["resource_config"] = configuration(ctx, inputs)
    return None


@on_target
def create(target: Target) -> Data:
    """Make the resource, or find what an earlier attempt made; wait until it is ready; record what it is."""
    if target.untouchable:
        adopt(target)
        return None
    settle(target, obtain(target)[0])
    return None


@on_target
def modify(target: Target) -> Data:
    """Set the attributes given in the input `resource_config`, one call for each, as EC2 wants it."""
    attributes = merged(target.inputs.get("resource_config"))
    if target.untouchable:
        _leave(target, "modified")
    elif not attributes:
        raise NonRecoverableError(f"{target.resource.modify}: give the attributes in the input resource_config")
    else:
        modify_attributes(target, attributes)
    return None


@on_target
def delete(target: Target) -> Data:
    """Remove the resource, wait until it is gone, and forget what was recorded."""
    if target.untouchable:
        _leave(target, "deleted")
    else:
        remove(target)
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
    differing = {
        name: {"expected": wanted, "actual": actual[name]}
        for name, wanted in target.config.items()
        if name in actual and _comparable(wanted) and str(actual[name]) != str(wanted)
    }
    return {} if target.external else differing


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
    description = target.describe(target.id)
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
    found = surviving(target)
    answer = None if found else _make(target)
    identifier = str(first(found or answer, (target.resource.id_field,)))
    target.record["aws_resource_id"] = identifier
    return identifier, answer


def surviving(target: Target) -> dict[str, Any] | None:
    """Return what an earlier attempt made, if it still counts."""
    known = target.id
    if known is not None:
        description = target.describe(known)
        if description is not None and target.lives(description):
            return description
    return target.find_lost()


def settle(target: Target, identifier: str) -> None:
    """Wait until the resource is ready, record what it is, and set the attributes given to the create operation."""
    description = target.describe(identifier)
    if description is None or not target.works(description):
        if target.resource.ready:
            wait(target, target.resource.ready, identifier)
        else:
            wait_until_seen(target, identifier)
        description = existing(target)
    note(target, description)
    modify_attributes(target, target.inputs.get(f"{target.resource.modify}_args") or {})


def note(target: Target, description: Mapping[str, Any]) -> None:
    """Record the id, the description and whatever of it blueprints read by name."""
    target.record["aws_resource_id"] = str(description[target.resource.id_field])
    told = target.record.get("create_response") or {}
    kept = {name: told[name] for name in target.resource.told_once if name in told}
    target.record["create_response"] = {**plain(description), **kept}
    notes.take(target, description)


def modify_attributes(target: Target, attributes: Mapping[str, Any]) -> None:
    """Set attributes by the row's modify call."""
    fixed = {target.resource.id_field: target.id}
    method = target.resource.modify
    if _ONE_BY_ONE in attributes:
        target.api.call(method, **attributes, **fixed)
        return
    for name, value in attributes.items():
        if name != target.resource.id_field:
            target.api.call(method, **{name: value}, **fixed)


def remove(target: Target) -> None:
    """Delete the resource, recorded or lost, and wait until it is gone.

    All that carries the owner tag goes: the SDK sends a create call again when no answer came, and without a client
    token AWS may have made two.
    """
    recorded = [target.id] if target.id else []
    living = [str(found[target.resource.id_field]) for found in target.owned() if target.lives(found)]
    for identifier in dict.fromkeys([*recorded, *living]):
        _remove_one(target, identifier)


def _remove_one(target: Target, identifier: str) -> None:
    resource = target.resource
    handle = _handle(target, identifier)
    if handle is None:
        return
    parameter = resource.delete_parameter or resource.delete_field or resource.id_field
    try:
        target.api.call(resource.delete, **{parameter: target.as_parameter(resource.delete, parameter, handle)})
    except RefusedError as error:
        if not error.refusal.absent:
            raise
    if resource.removed:
        wait_until_gone(target, resource.removed, identifier)


def _handle(target: Target, identifier: str) -> str | None:
    """What the delete call knows the resource by; None when it is gone already."""
    if not target.resource.delete_field:
        return identifier
    found = first(target.describe(identifier), (target.resource.delete_field,))
    return None if found is None else str(found)


def _make(target: Target) -> Any:
    resource = target.resource
    parameters = _parameters(target)
    if resource.tagged_as:
        given = parameters.get("TagSpecifications")
        parameters["TagSpecifications"] = specifications(target.ctx, resource.tagged_as, given)
    token_parameter = target.api.token_parameter(resource.create)
    if token_parameter:
        gone = [str(found[resource.id_field]) for found in target.owned()]
        parameters.setdefault(token_parameter, token(target.ctx, gone))
    target.ctx.logger.info(f"creating {resource.label} ({OWNER_KEY} = {owner(target.ctx)})")
    return first(target.api.call(resource.create, **parameters), resource.made)


def _parameters(target: Target) -> dict[str, Any]:
    """The create call's parameters: the row's defaults, the author's, and what related nodes give for the rest."""
    given = {name: value for name, value in target.config.items() if name not in target.resource.later}
    parameters = {**target.resource.defaults, **given}
    if target.resource.complete is not None:
        target.resource.complete(parameters, target)
    for gift in target.resource.gifts:
        values = target.values(gift.node_type, gift.recorded)
        if values and not parameters.get(gift.parameter) and not any(name in parameters for name in gift.unless):
            wants_list = target.api.parameters(target.resource.create).get(gift.parameter) == "list"
            parameters[gift.parameter] = values if wants_list else values[0]
    return parameters


def _comparable(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def _leave(target: Target, act: str) -> None:
    target.ctx.logger.info(f"{target} is external and is not {act}")
