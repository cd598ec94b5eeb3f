"""Ties internet gateways to their VPC, and unties them: what `lifecycle` does not do for them."""

from groundplan.model.values import Data
from groundplan_aws.failures import BusyError, RefusedError
from groundplan_aws.lifecycle import existing
from groundplan_aws.resource import dig
from groundplan_aws.rows.ec2 import VPC
from groundplan_aws.target import Target, on_target


@on_target
def attach(target: Target) -> Data:
    """Attach the gateway to its VPC; one that is attached there already is fine."""
    vpc = target.given_or_related("VpcId", VPC.node_type)
    if target.untouchable or vpc is None:
        return None
    if vpc not in _attached(target):
        try:
            target.api.call("attach_internet_gateway", InternetGatewayId=target.id, VpcId=vpc)
        except RefusedError:
            # The SDK sends a call again whose answer was lost; the first one may have attached it.
            if vpc not in _attached(target):
                raise
    target.record["vpc_id"] = vpc
    return None


@on_target
def detach(target: Target) -> Data:
    """Detach the gateway from its VPC. Addresses still mapped there make AWS refuse, which passes."""
    vpc = target.record.get("vpc_id") or target.given_or_related("VpcId", VPC.node_type)
    if target.untouchable or vpc is None or target.id is None:
        return None
    try:
        target.api.call("detach_internet_gateway", InternetGatewayId=target.id, VpcId=vpc)
    except (RefusedError, BusyError) as error:
        if not error.refusal.absent and error.refusal.code != "Gateway.NotAttached":
            raise
    target.record.pop("vpc_id", None)
    return None


def _attached(target: Target) -> list[str]:
    return dig(existing(target), ("Attachments", "VpcId"))
