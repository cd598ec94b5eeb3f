"""Routes, which have no id, and the associations of route tables with subnets.

A route is known by its table and destination; its target comes from the configuration or from a related gateway.
"""

from collections.abc import Mapping
from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.operation import operation
from groundplan_aws.client import Api
from groundplan_aws.failures import RefusedError, unless_gone
from groundplan_aws.lifecycle import existing, make
from groundplan_aws.older import route
from groundplan_aws.relation import client, ends, id_of, stands
from groundplan_aws.resource import EC2_NODES, dig
from groundplan_aws.rows.ec2 import INTERNET_GATEWAY, NAT_GATEWAY, ROUTE_TABLE, SUBNET
from groundplan_aws.target import Subject, Target, on_subject, on_target

_DESTINATIONS: Final = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
_TARGETS: Final = (
    ("GatewayId", INTERNET_GATEWAY.node_type),
    ("GatewayId", f"{EC2_NODES}VPNGateway"),
    ("NatGatewayId", NAT_GATEWAY.node_type),
)


@on_subject
def create(subject: Subject) -> Data:
    """Put the route into its table; one that is there already with the same target is fine."""
    if subject.untouchable:
        return None
    table, destination = _place(subject)
    parameters = {**subject.config, **destination, "RouteTableId": table, **_target(subject)}
    _put(subject.api, parameters)
    subject.record.update({"resource_config": dict(subject.config), "routetable_id": table, **destination})
    return None


@on_subject
def delete(subject: Subject) -> Data:
    """Take the route out of its table; a route or a table that is gone is done."""
    if not subject.untouchable:
        table, destination = _place(subject)
        with unless_gone():
            subject.api.call("delete_route", RouteTableId=table, **destination)
    subject.record.clear()
    return None


@on_target
def create_table(target: Target) -> Data:
    """Make the route table of an older type with the routes of the input `routes`."""
    make(target)
    for given in () if target.untouchable else target.inputs.get("routes") or ():
        _put(target.api, {**route(given), "RouteTableId": target.id})
    return None


@operation()
def create_related(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Put a route to the gateway at the relationship's target into the table at its source."""
    table, gateway = ends(ctx)
    parameters = {"RouteTableId": id_of(table), **_way(ctx, inputs), "GatewayId": id_of(gateway)}
    _put(client(ctx, "ec2"), parameters)
    return None


@operation()
def delete_related(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Take it out; a route or a table that is gone is done."""
    if stands(ctx):
        with unless_gone():
            client(ctx, "ec2").call("delete_route", RouteTableId=id_of(ends(ctx)[0]), **_way(ctx, inputs))
    return None


def _way(ctx: OperationContext, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The destination: the input's, or else the gateway's `cidr_block`."""
    gateway = ends(ctx)[1]
    block = inputs.get("destination_cidr_block") or gateway.node.properties.get("cidr_block")
    if not block:
        raise NonRecoverableError(f"{gateway.node.name} has no cidr_block: give the input destination_cidr_block")
    return {"DestinationCidrBlock": block}


@on_target
def attach(target: Target) -> Data:
    """Associate the table with each related subnet, unless it is."""
    if target.untouchable:
        return None
    known = {
        association["SubnetId"]: association["RouteTableAssociationId"]
        for association in dig(existing(target), ("Associations",))
        if "SubnetId" in association
    }
    subnets = target.values(SUBNET.node_type)
    target.record["association_ids"] = [known.get(subnet) or _associate(target, subnet) for subnet in subnets]
    return None


@on_target
def detach(target: Target) -> Data:
    """Undo the associations with related subnets."""
    if target.untouchable or target.id is None:
        return None
    subnets = set(target.values(SUBNET.node_type))
    for association in dig(target.describe(target.id), ("Associations",)):
        if association.get("SubnetId") in subnets:
            target.api.call("disassociate_route_table", AssociationId=association["RouteTableAssociationId"])
    target.record.pop("association_ids", None)
    return None


def _associate(target: Target, subnet: str) -> str:
    answer = target.api.call("associate_route_table", RouteTableId=target.id, SubnetId=subnet)
    return str(answer["AssociationId"])


def _place(subject: Subject) -> tuple[str, dict[str, Any]]:
    """Return the route's table and its destination, as recorded, configured or related."""
    table = subject.record.get("routetable_id") or subject.given_or_related("RouteTableId", ROUTE_TABLE.node_type)
    if not table:
        raise NonRecoverableError("the route has no RouteTableId, and no related node is a route table")
    for name in _DESTINATIONS:
        value = subject.config.get(name) or subject.record.get(name)
        if value:
            return str(table), {name: value}
    raise NonRecoverableError(f"the route has no destination: give one of {', '.join(_DESTINATIONS)}")


def _target(subject: Subject) -> dict[str, Any]:
    """Return the parameter of the first related gateway, unless the author named a target."""
    named = {name for name in subject.config if name.endswith("Id") and name not in ("RouteTableId", *_DESTINATIONS)}
    if named:
        return {}
    found = ((parameter, subject.values(node_type)) for parameter, node_type in _TARGETS)
    return next(({parameter: values[0]} for parameter, values in found if values), {})


def _put(api: Api, parameters: dict[str, Any]) -> None:
    try:
        api.call("create_route", **parameters)
    except RefusedError as error:
        if error.refusal.code != "RouteAlreadyExists" or not _stands(api, parameters):
            raise


def _stands(api: Api, wanted: dict[str, Any]) -> bool:
    """Whether the table has the route that is wanted, target and all."""
    answer = api.call("describe_route_tables", RouteTableIds=[wanted["RouteTableId"]])
    parts = {name: value for name, value in wanted.items() if name != "RouteTableId"}
    return any(parts.items() <= route.items() for route in dig(answer, ("RouteTables", "Routes")))
