"""Transit gateways: their attachments to VPCs, and the association of their route tables with those.

A relationship makes an attachment and records it by its target in the gateway's `TransitGatewayVpcAttachments`. AWS
lets there be one for a gateway and a VPC, by which it is found again.
"""

from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.context import End, OperationContext
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.operation import operation
from groundplan_aws.client import Api
from groundplan_aws.failures import unless_gone
from groundplan_aws.relation import client, ends, id_of
from groundplan_aws.resource import dig
from groundplan_aws.rows.ec2 import TRANSIT_GATEWAY, VPC
from groundplan_aws.target import Target, on_target, plain

_KEPT: Final = "TransitGatewayVpcAttachments"
_SUBNETS: Final = "subnets"
_GONE: Final = ("deleting", "deleted", "rejected", "failed")


@operation()
def attach(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Attach the gateway at the relationship's source to the VPC at its target, or to that of the subnet there."""
    api, (source, target) = client(ctx, "ec2"), ends(ctx)
    gateway = inputs.get("transit_gateway_id") or id_of(source)
    vpc, subnets = _place(api, target)
    vpc, subnets = inputs.get("vpc_id") or vpc, inputs.get("SubnetIds") or subnets
    attachment = _of(api, gateway, vpc)
    if attachment is None:
        if not subnets:
            raise NonRecoverableError(
                f"{target.node.name} has no subnets: give SubnetIds, or relate its subnets to it by "
                "cloudify.relationships.aws.ec2.subnet_connected_to_vpc"
            )
        options = {name: inputs[name] for name in ("Options", "TagSpecifications") if inputs.get(name)}
        asked = {"TransitGatewayId": gateway, "VpcId": vpc, "SubnetIds": subnets}
        answer = api.call("create_transit_gateway_vpc_attachment", **asked, **options)
        attachment = answer["TransitGatewayVpcAttachment"]
    kept: Any = source.instance.runtime_properties.setdefault(_KEPT, {})
    kept[id_of(target)] = {"TransitGatewayVpcAttachment": plain(attachment)}
    if attachment.get("State") == "pending":
        raise RecoverableError(f"{attachment['TransitGatewayAttachmentId']} is still pending")
    return None


@operation()
def detach(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Undo the attachment; one that is gone is done."""
    source, target = ends(ctx)
    kept: Any = source.instance.runtime_properties.get(_KEPT) or {}
    place = target.instance.runtime_properties.get("aws_resource_id")
    identifier = inputs.get("transit_gateway_attachment_id") or _id(kept.get(place))
    if identifier:
        with unless_gone("IncorrectState"):
            client(ctx, "ec2").call("delete_transit_gateway_vpc_attachment", TransitGatewayAttachmentId=identifier)
    kept.pop(place, None)
    return None


@operation()
def note_subnet(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Note the subnet at the relationship's source among the `subnets` of the VPC at its target."""
    subnet, vpc = ends(ctx)
    noted: Any = vpc.instance.runtime_properties.get(_SUBNETS) or []
    vpc.instance.runtime_properties[_SUBNETS] = list(dict.fromkeys([*noted, id_of(subnet)]))
    return None


@operation()
def forget_subnet(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Take the subnet from them."""
    subnet, vpc = ends(ctx)
    noted: Any = vpc.instance.runtime_properties.get(_SUBNETS)
    if noted:
        known = subnet.instance.runtime_properties.get("aws_resource_id")
        vpc.instance.runtime_properties[_SUBNETS] = [each for each in noted if each != known]
    return None


@on_target
def associate(target: Target) -> Data:
    """Associate the route table with the attachments of the related gateways, or with the one that is given."""
    if target.untouchable:
        return None
    there = _associated(target)
    wanted = _attachments(target)
    for attachment in wanted:
        if attachment not in there:
            target.api.call(
                "associate_transit_gateway_route_table",
                TransitGatewayRouteTableId=target.id,
                TransitGatewayAttachmentId=attachment,
            )
    target.record["attachment_ids"] = wanted
    return None


@on_target
def dissociate(target: Target) -> Data:
    """Undo the associations that `associate` made."""
    if target.untouchable or target.id is None:
        return None
    recorded: Any = target.record.get("attachment_ids") or []
    for attachment in recorded:
        with unless_gone("InvalidAssociation.NotFound"):
            target.api.call(
                "disassociate_transit_gateway_route_table",
                TransitGatewayRouteTableId=target.id,
                TransitGatewayAttachmentId=attachment,
            )
    target.record.pop("attachment_ids", None)
    return None


def _attachments(target: Target) -> list[str]:
    given = target.inputs.get("transit_gateway_attachment_id")
    if given:
        return [str(given)]
    kept = target.values(TRANSIT_GATEWAY.node_type, _KEPT)
    return [identifier for found in kept for each in found.values() if (identifier := _id(each))]


def _associated(target: Target) -> list[str]:
    pages = target.api.pages("get_transit_gateway_route_table_associations", TransitGatewayRouteTableId=target.id)
    return [found["TransitGatewayAttachmentId"] for page in pages for found in dig(page, ("Associations",))]


def _place(api: Api, target: End) -> tuple[str, list[str]]:
    """The VPC, and the subnets that its attachment is to have."""
    if target.node.is_a(VPC.node_type):
        noted: Any = target.instance.runtime_properties.get(_SUBNETS) or []
        return id_of(target), list(noted)
    (found,) = api.call("describe_subnets", SubnetIds=[id_of(target)])["Subnets"]
    return str(found["VpcId"]), [id_of(target)]


def _of(api: Api, gateway: str, vpc: str) -> dict[str, Any] | None:
    """The living attachment of a gateway to a VPC; AWS lets there be one."""
    by = [{"Name": "transit-gateway-id", "Values": [gateway]}, {"Name": "vpc-id", "Values": [vpc]}]
    found = dig(api.call("describe_transit_gateway_vpc_attachments", Filters=by), (_KEPT,))
    living = (
        each
        for each in found
        if each.get("State") not in _GONE and (each["TransitGatewayId"], each["VpcId"]) == (gateway, vpc)
    )
    return next(living, None)


def _id(kept: Any) -> str | None:
    found = dig(kept or {}, ("TransitGatewayVpcAttachment", "TransitGatewayAttachmentId"))
    return str(found[0]) if found else None
