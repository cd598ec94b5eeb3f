"""Routes, which have no id, and the associations of route tables with subnets.

A route is known by its table and destination; its target comes from the configuration or from a related gateway.
"""

from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws.failures import RefusedError, unless_gone
from groundplan_aws.lifecycle import existing
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
    try:
        subject.api.call("create_route", **parameters)
    except RefusedError as error:
        if error.refusal.code != "RouteAlreadyExists" or not _stands(subject, parameters):
            raise
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


def _stands(subject: Subject, wanted: dict[str, Any]) -> bool:
    """Whether the table has the route that is wanted, target and all."""
    answer = subject.api.call("describe_route_tables", RouteTableIds=[wanted["RouteTableId"]])
    parts = {name: value for name, value in wanted.items() if name != "RouteTableId"}
    return any(parts.items() <= route.items() for route in dig(answer, ("RouteTables", "Routes")))
