"""Elastic IPs: allocated or taken from the unused ones, associated with an interface or an instance, and let go."""

from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.operation import operation
from groundplan_aws import finding, lifecycle
from groundplan_aws.failures import unless_gone
from groundplan_aws.relation import client, ends, id_of, stands
from groundplan_aws.resource import dig
from groundplan_aws.rows.ec2 import INSTANCES, INTERFACE
from groundplan_aws.tagging import owner_in
from groundplan_aws.target import Target, on_target

_OPTIONS: Final = ("PrivateIpAddress", "AllowReassociation")
"""Fields of the configuration that go into the association."""


@on_target
def create(target: Target) -> Data:
    """Allocate an address; with `use_unassociated_addresses` an unused one of the account is taken first."""
    unused = None if target.untouchable else _unused(target)
    if target.untouchable:
        lifecycle.adopt(target)
    elif unused is not None:
        target.record["unassociated_address"] = unused["PublicIp"]
        lifecycle.note(target, unused)
    else:
        lifecycle.settle(target, lifecycle.obtain(target)[0])
    return None


@on_target
def delete(target: Target) -> Data:
    """Release the address, unless it was there before."""
    if not target.untouchable and "unassociated_address" not in target.record:
        lifecycle.remove(target)
    target.record.clear()
    return None


@on_target
def attach(target: Target) -> Data:
    """Associate the address with the related interface or instance; an association that stands is fine."""
    wanted = _holder(target)
    if not wanted or not _may_associate(target):
        return None
    address = lifecycle.existing(target)
    association = address.get("AssociationId")
    if association is None or not wanted.items() <= address.items():
        options = {name: target.config[name] for name in _OPTIONS if name in target.config}
        answer = target.api.call("associate_address", AllocationId=address["AllocationId"], **wanted, **options)
        association = answer["AssociationId"]
    target.record["association_id"] = association
    return None


@on_target
def detach(target: Target) -> Data:
    """Undo the association that `attach` made, recorded or not."""
    association = target.record.get("association_id") or _lost_association(target)
    if association is not None:
        with unless_gone():
            target.api.call("disassociate_address", AssociationId=association)
    target.record.pop("association_id", None)
    return None


@operation()
def attach_related(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Associate the address at the relationship's target with the instance at its source; the same again is fine."""
    instance, address = ends(ctx)
    allocation = address.instance.runtime_properties.get("allocation_id")
    client(ctx, "ec2").call("associate_address", AllocationId=allocation, InstanceId=id_of(instance))
    instance.instance.runtime_properties["public_ip_address"] = id_of(address)
    address.instance.runtime_properties["instance_id"] = id_of(instance)
    if instance.instance.runtime_properties.get("vpc_id"):
        address.instance.runtime_properties["vpc_id"] = instance.instance.runtime_properties["vpc_id"]
    return None


@operation()
def detach_related(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Undo the association, if it is with this instance still."""
    instance, address = ends(ctx)
    if stands(ctx):
        api = client(ctx, "ec2")
        with unless_gone():
            for found in dig(api.call("describe_addresses", PublicIps=[id_of(address)]), ("Addresses",)):
                if found.get("InstanceId") == id_of(instance) and "AssociationId" in found:
                    api.call("disassociate_address", AssociationId=found["AssociationId"])
    instance.instance.runtime_properties.pop("public_ip_address", None)
    for name in ("instance_id", "vpc_id"):
        address.instance.runtime_properties.pop(name, None)
    return None


def _may_associate(target: Target) -> bool:
    """Whether the address is ours, or an external one that the author wants associated."""
    return not target.untouchable or bool(target.ctx.node.properties.get("attach_existing_address"))


def _holder(target: Target) -> dict[str, Any]:
    """Return the parameter that says what shall hold the address: configured, a related interface, or an instance."""
    for parameter, node_type in (("NetworkInterfaceId", INTERFACE.node_type), ("InstanceId", INSTANCES.node_type)):
        value = target.given_or_related(parameter, node_type)
        if value:
            return {parameter: value}
    return {}


def _lost_association(target: Target) -> Any:
    """Return the association with the node's own holder, if the address is ours and has it."""
    wanted = _holder(target)
    address = target.describe(target.id) if target.id and _may_associate(target) else None
    if address is None or not wanted or not wanted.items() <= address.items():
        return None
    return address.get("AssociationId")


def _unused(target: Target) -> dict[str, Any] | None:
    """Return an address of the account that nobody holds and no node instance of ours made."""
    if not target.ctx.node.properties.get("use_unassociated_addresses") or any(
        target.lives(found) for found in finding.owned(target)
    ):
        return None
    answer = target.api.call("describe_addresses")
    for address in dig(answer, ("Addresses",)):
        if "AssociationId" not in address and owner_in(address) is None:
            found: dict[str, Any] = address
            return found
    return None
