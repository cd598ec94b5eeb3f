"""Network interfaces: attached at start only when an instance is related, and detached at stop.

An instance that is launched with an interface holds it as its first one (device index 0) and lets it go at its own end.
"""

from typing import Any

from groundplan.model.values import Data
from groundplan_aws.failures import unless_gone
from groundplan_aws.lifecycle import existing
from groundplan_aws.rows.ec2 import INSTANCES, INTERFACE
from groundplan_aws.target import Target, on_target
from groundplan_aws.waiting import wait


@on_target
def attach(target: Target) -> Data:
    """Attach the interface to the related instance that exists; an attachment to it that stands is fine."""
    instance = _instance(target)
    if target.untouchable or instance is None:
        return None
    attachment = existing(target).get("Attachment") or {}
    if attachment.get("InstanceId") != instance:
        index = target.config.get("DeviceIndex") or target.record.get("device_index") or 1
        parameters = {"NetworkInterfaceId": target.id, "InstanceId": instance, "DeviceIndex": index}
        attachment = {"DeviceIndex": index, **target.api.call("attach_network_interface", **parameters)}
    target.record["attachment_id"] = attachment["AttachmentId"]
    target.record["device_index"] = attachment["DeviceIndex"]
    return None


@on_target
def detach(target: Target) -> Data:
    """Detach the interface and wait until it is free; as an instance's first interface it stays until that ends."""
    attachment = None if target.untouchable else _attachment(target)
    if attachment is None:
        return None
    if attachment.get("DeviceIndex") == 0:
        target.ctx.logger.info(f"{target} is the first interface of {attachment.get('InstanceId')} and ends with it")
        return None
    with unless_gone():
        target.api.call("detach_network_interface", AttachmentId=attachment["AttachmentId"])
    wait(target, INTERFACE.ready, str(target.id))
    target.record.pop("attachment_id", None)
    return None


def _instance(target: Target) -> str | None:
    """Return the configured instance, or the one that is related either way and exists."""
    if target.config.get("InstanceId"):
        return str(target.config["InstanceId"])
    related = [other for other in target.ctx.neighbours if other.node.is_a(INSTANCES.node_type)]
    found = (other.instance.runtime_properties.get("aws_resource_id") for other in related)
    return next((str(identifier) for identifier in found if identifier), None)


def _attachment(target: Target) -> dict[str, Any] | None:
    description = target.describe(target.id) if target.id else None
    attachment: dict[str, Any] | None = (description or {}).get("Attachment")
    return attachment if attachment and attachment.get("Status") not in ("detached", "detaching") else None
