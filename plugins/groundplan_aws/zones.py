"""Hosted zones of Route 53: made private by a related VPC, and emptied before they go where that may be.

Route 53 deletes no zone that holds records besides its own two. Whether others may go is the author's word
(`force_delete`); without it the deletion is Route 53's to refuse. All else of a zone is `lifecycle`'s.
"""

from dataclasses import replace
from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws import finding, lifecycle
from groundplan_aws.failures import unless_gone
from groundplan_aws.rows.ec2 import VPC
from groundplan_aws.target import Target, on_target

_BATCH: Final = 100
"""Changes in one call; Route 53 takes 1000."""


@on_target
def create(target: Target) -> Data:
    """Make the zone; one with a related VPC is private, and answers in that VPC. Its name may be the `resource_id`."""
    name = target.ctx.node.properties.get("resource_id")
    if name and not target.external:
        target = replace(target, config={"Name": name, **target.config})
    vpcs = [] if target.config.get("VPC") else target.neighbours(VPC.node_type)
    for vpc in vpcs[:1]:
        given = vpc.node.properties.get("client_config") or {}
        place = {"VPCRegion": _region(target, given), "VPCId": vpc.instance.runtime_properties.get("aws_resource_id")}
        private = {**(target.config.get("HostedZoneConfig") or {}), "PrivateZone": True}
        target = replace(target, config={**target.config, "VPC": place, "HostedZoneConfig": private})
    if target.untouchable:
        lifecycle.adopt(target)
    else:
        lifecycle.settle(target, lifecycle.obtain(target)[0])
    return None


@on_target
def delete(target: Target) -> Data:
    """Remove the zone; with the input `force_delete` first the records that it holds."""
    if target.inputs.get("force_delete") and not target.untouchable:
        found = finding.surviving(target)
        if found is not None:
            with unless_gone():
                _empty(target, str(found["Id"]), str(found["Name"]))
    return lifecycle.delete(target.ctx, **target.inputs)


def _region(target: Target, client_config: Any) -> str:
    region = client_config.get("region_name") or target.account.region
    if not region:
        raise NonRecoverableError("which region is the VPC in? Give region_name, or VPC in resource_config")
    return str(region)


def _empty(target: Target, zone: str, name: str) -> None:
    pages = target.api.pages("list_resource_record_sets", HostedZoneId=zone)
    records = [record for page in pages for record in page.get("ResourceRecordSets", ())]
    doomed = [record for record in records if record["Name"] != name or record["Type"] not in ("NS", "SOA")]
    for start in range(0, len(doomed), _BATCH):
        changes = [{"Action": "DELETE", "ResourceRecordSet": record} for record in doomed[start : start + _BATCH]]
        target.api.call("change_resource_record_sets", HostedZoneId=zone, ChangeBatch={"Changes": changes})
