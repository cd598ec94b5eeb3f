"""Ties resources of EC2 to what they serve, and unties them: VPN gateways and DHCP options to a VPC, volumes to an
instance. What stands already is fine, and so is what is gone already.
"""

from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.operation import operation
from groundplan_aws.client import Api
from groundplan_aws.failures import unless_gone
from groundplan_aws.lifecycle import existing
from groundplan_aws.newer import properties_of
from groundplan_aws.relation import client, ends, id_of, stands
from groundplan_aws.resource import dig
from groundplan_aws.rows.ec2 import DHCP_OPTIONS, INSTANCES, VOLUME, VPC
from groundplan_aws.target import Subject, Target, on_subject, on_target

_DEFAULT_OPTIONS: Final = "default"
"""The DHCP options that a VPC has without any."""


@on_target
def attach(target: Target) -> Data:
    """Tie the VPN gateway or the DHCP options to the configured or related VPC."""
    vpc = target.given_or_related("VpcId", VPC.node_type)
    if target.untouchable or vpc is None:
        return None
    if target.resource is DHCP_OPTIONS:
        target.api.call("associate_dhcp_options", DhcpOptionsId=target.id, VpcId=vpc)
    elif vpc not in _vpcs(target):
        target.api.call("attach_vpn_gateway", VpnGatewayId=target.id, VpcId=vpc)
    target.record["vpc_id"] = vpc
    return None


@on_target
def detach(target: Target) -> Data:
    """Untie it."""
    vpc = target.record.get("vpc_id") or target.given_or_related("VpcId", VPC.node_type)
    if target.untouchable or vpc is None or target.id is None:
        return None
    if target.resource is DHCP_OPTIONS:
        with unless_gone(*_LOOSE):
            target.api.call("associate_dhcp_options", DhcpOptionsId=_DEFAULT_OPTIONS, VpcId=vpc)
    else:
        with unless_gone(*_LOOSE):
            target.api.call("detach_vpn_gateway", VpnGatewayId=target.id, VpcId=vpc)
    target.record.pop("vpc_id", None)
    return None


@on_subject
def attach_volume(subject: Subject) -> Data:
    """Attach a volume to an instance under a device name: both configured or related."""
    if subject.untouchable:
        return None
    volume = subject.given_or_related("VolumeId", VOLUME.node_type)
    instance = subject.given_or_related("InstanceId", INSTANCES.node_type)
    device = subject.config.get("Device") or _device(subject)
    if not volume or not instance or not device:
        raise NonRecoverableError("an attachment needs VolumeId, InstanceId and Device, configured or of related nodes")
    _attach(subject.api, str(volume), str(instance), str(device))
    subject.record.update({"aws_resource_id": volume, "instance_id": instance})
    return None


@on_subject
def detach_volume(subject: Subject) -> Data:
    """Detach the volume."""
    volume = subject.record.get("aws_resource_id") or subject.given_or_related("VolumeId", VOLUME.node_type)
    instance = subject.record.get("instance_id") or subject.given_or_related("InstanceId", INSTANCES.node_type)
    if volume and not subject.untouchable:
        with unless_gone(*_LOOSE):
            subject.api.call("detach_volume", VolumeId=volume, **({"InstanceId": instance} if instance else {}))
    subject.record.clear()
    return None


@operation()
def attach_related(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Attach the volume at the relationship's source to the instance at its target, as the volume's `device_name`."""
    volume, instance = ends(ctx)
    device = properties_of(volume.node).get("device_name")
    if not device:
        raise NonRecoverableError(f"{volume.node.name} has no device_name to attach it by")
    _attach(client(ctx, "ec2"), id_of(volume), id_of(instance), str(device))
    volume.instance.runtime_properties["instance_id"] = id_of(instance)
    return None


@operation()
def detach_related(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Detach the volume from the instance."""
    volume, instance = ends(ctx)
    if stands(ctx):
        with unless_gone(*_LOOSE):
            client(ctx, "ec2").call("detach_volume", VolumeId=id_of(volume), InstanceId=id_of(instance))
    volume.instance.runtime_properties.pop("instance_id", None)
    return None


_LOOSE: Final = frozenset({"IncorrectState", "InvalidAttachment.NotFound"})
"""What EC2 says when there is nothing to detach."""


def _attach(api: Api, volume: str, instance: str, device: str) -> None:
    there = dig(api.call("describe_volumes", VolumeIds=[volume]), ("Volumes", "Attachments", "InstanceId"))
    if instance not in there:
        api.call("attach_volume", VolumeId=volume, InstanceId=instance, Device=device)


def _device(subject: Subject) -> Any:
    volumes = subject.neighbours(VOLUME.node_type)
    return next((properties_of(other.node).get("device_name") for other in volumes), None)


def _vpcs(target: Target) -> list[str]:
    attachments = dig(existing(target), ("VpcAttachments",))
    return [found["VpcId"] for found in attachments if found.get("State") in ("attaching", "attached")]
