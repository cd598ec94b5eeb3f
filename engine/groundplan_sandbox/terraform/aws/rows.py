"""The resources of the stand-in: attributes as the real provider names them, and how each is made, read and removed.

`provider` makes of a row what Terraform's protocol wants; clients come from `account`.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tf.schema import Attribute
from tf.types import Bool, List, Map, Number, String

State = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A kind of resource.

    Attributes:
        create: makes it and returns its id.
        read: returns what AWS tells of it, or None when it is gone; also raises for absence.
        update: brings what may be changed in place to what is planned.
    """

    name: str
    attributes: Sequence[Attribute]
    create: Callable[[Any, State], str]
    read: Callable[[Any, State], State | None]
    delete: Callable[[Any, State], object]
    update: Callable[[Any, State, State], object] | None = None


def _required(name: str, kind: Any = None) -> Attribute:
    return Attribute(name, kind or String(), required=True, requires_replace=True)


def _optional(name: str, kind: Any = None, **more: Any) -> Attribute:
    return Attribute(name, kind or String(), optional=True, computed=True, requires_replace=True, **more)


def _told(*names: str) -> list[Attribute]:
    return [Attribute(name, String(), computed=True) for name in names]


_TAGS: Final = Attribute("tags", Map(String()), optional=True)


def _tags(of: Mapping[str, Any]) -> dict[str, str] | None:
    return {tag["Key"]: tag["Value"] for tag in of.get("Tags") or ()} or None


def _tag(account: Any, current: State, planned: State) -> None:
    """Bring the tags of an EC2 resource to what is planned."""
    old, new = current.get("tags") or {}, planned.get("tags") or {}
    if gone := [{"Key": key} for key in old if key not in new]:
        account.ec2.delete_tags(Resources=[current["id"]], Tags=gone)
    if new:
        account.ec2.create_tags(Resources=[current["id"]], Tags=_listed(new))


def _listed(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def _tagged(kind: str, planned: State) -> dict[str, Any]:
    tags = _listed(planned.get("tags"))
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}


# -- networks


def _create_vpc(account: Any, planned: State) -> str:
    made = account.ec2.create_vpc(
        CidrBlock=planned["cidr_block"],
        InstanceTenancy=planned.get("instance_tenancy") or "default",
        **_tagged("vpc", planned),
    )["Vpc"]["VpcId"]
    _set_dns(account, {**planned, "id": made})
    return str(made)


def _set_dns(account: Any, planned: State) -> None:
    for attribute, name in (("EnableDnsSupport", "enable_dns_support"), ("EnableDnsHostnames", "enable_dns_hostnames")):
        if isinstance(planned.get(name), bool):
            account.ec2.modify_vpc_attribute(VpcId=planned["id"], **{attribute: {"Value": planned[name]}})


def _read_vpc(account: Any, current: State) -> State:
    found = account.ec2.describe_vpcs(VpcIds=[current["id"]])["Vpcs"][0]
    return {
        "cidr_block": found["CidrBlock"],
        "instance_tenancy": found["InstanceTenancy"],
        "owner_id": found.get("OwnerId"),
        "enable_dns_support": _dns(account, current["id"], "EnableDnsSupport", "enableDnsSupport"),
        "enable_dns_hostnames": _dns(account, current["id"], "EnableDnsHostnames", "enableDnsHostnames"),
        "tags": _tags(found),
    }


def _dns(account: Any, vpc: str, told: str, asked: str) -> bool:
    return bool(account.ec2.describe_vpc_attribute(VpcId=vpc, Attribute=asked)[told]["Value"])


def _update_vpc(account: Any, current: State, planned: State) -> None:
    _tag(account, current, planned)
    _set_dns(account, planned)


def _create_subnet(account: Any, planned: State) -> str:
    zone = {"AvailabilityZone": planned["availability_zone"]} if planned.get("availability_zone") else {}
    made = account.ec2.create_subnet(
        VpcId=planned["vpc_id"], CidrBlock=planned["cidr_block"], **zone, **_tagged("subnet", planned)
    )["Subnet"]["SubnetId"]
    _set_public(account, {**planned, "id": made})
    return str(made)


def _set_public(account: Any, planned: State) -> None:
    if isinstance(planned.get("map_public_ip_on_launch"), bool):
        account.ec2.modify_subnet_attribute(
            SubnetId=planned["id"], MapPublicIpOnLaunch={"Value": planned["map_public_ip_on_launch"]}
        )


def _read_subnet(account: Any, current: State) -> State:
    found = account.ec2.describe_subnets(SubnetIds=[current["id"]])["Subnets"][0]
    return {
        "vpc_id": found["VpcId"],
        "cidr_block": found["CidrBlock"],
        "availability_zone": found["AvailabilityZone"],
        "availability_zone_id": found.get("AvailabilityZoneId"),
        "map_public_ip_on_launch": found["MapPublicIpOnLaunch"],
        "arn": found.get("SubnetArn"),
        "owner_id": found.get("OwnerId"),
        "tags": _tags(found),
    }


def _update_subnet(account: Any, current: State, planned: State) -> None:
    _tag(account, current, planned)
    _set_public(account, planned)


def _create_gateway(account: Any, planned: State) -> str:
    made = account.ec2.create_internet_gateway(**_tagged("internet-gateway", planned))["InternetGateway"]
    if planned.get("vpc_id"):
        account.ec2.attach_internet_gateway(InternetGatewayId=made["InternetGatewayId"], VpcId=planned["vpc_id"])
    return str(made["InternetGatewayId"])


def _read_gateway(account: Any, current: State) -> State:
    found = account.ec2.describe_internet_gateways(InternetGatewayIds=[current["id"]])["InternetGateways"][0]
    attached = [each["VpcId"] for each in found.get("Attachments") or ()]
    return {"vpc_id": attached[0] if attached else None, "owner_id": found.get("OwnerId"), "tags": _tags(found)}


def _delete_gateway(account: Any, current: State) -> None:
    if current.get("vpc_id"):
        account.ec2.detach_internet_gateway(InternetGatewayId=current["id"], VpcId=current["vpc_id"])
    account.ec2.delete_internet_gateway(InternetGatewayId=current["id"])


# -- security groups


def _create_group(account: Any, planned: State) -> str:
    return str(
        account.ec2.create_security_group(
            GroupName=planned["name"],
            Description=planned["description"],
            VpcId=planned["vpc_id"],
            **_tagged("security-group", planned),
        )["GroupId"]
    )


def _read_group(account: Any, current: State) -> State:
    found = account.ec2.describe_security_groups(GroupIds=[current["id"]])["SecurityGroups"][0]
    return {
        "vpc_id": found["VpcId"],
        "name": found["GroupName"],
        "description": found["Description"],
        "owner_id": found.get("OwnerId"),
        "tags": _tags(found),
    }


def _permission(state: State) -> dict[str, Any]:
    return {
        "IpProtocol": state["protocol"],
        "FromPort": int(state["from_port"]),
        "ToPort": int(state["to_port"]),
        "IpRanges": [{"CidrIp": block} for block in state["cidr_blocks"]],
    }


def _create_rule(account: Any, planned: State) -> str:
    authorize = getattr(account.ec2, f"authorize_security_group_{planned['type']}")
    authorize(GroupId=planned["security_group_id"], IpPermissions=[_permission(planned)])
    said = json.dumps([planned["type"], planned["security_group_id"], _permission(planned)], sort_keys=True)
    return f"sgrule-{hashlib.sha256(said.encode()).hexdigest()[:10]}"


def _read_rule(account: Any, current: State) -> State | None:
    found = account.ec2.describe_security_groups(GroupIds=[current["security_group_id"]])["SecurityGroups"][0]
    wanted = _permission(current)
    told = found["IpPermissions" if current["type"] == "ingress" else "IpPermissionsEgress"]
    for each in told:
        blocks = {block["CidrIp"] for block in each.get("IpRanges") or ()}
        same = all(each.get(name) == wanted[name] for name in ("IpProtocol", "FromPort", "ToPort"))
        if same and blocks >= set(current["cidr_blocks"]):
            return {}
    return None


def _delete_rule(account: Any, current: State) -> None:
    revoke = getattr(account.ec2, f"revoke_security_group_{current['type']}")
    revoke(GroupId=current["security_group_id"], IpPermissions=[_permission(current)])


# -- buckets


def _create_bucket(account: Any, planned: State) -> str:
    place = {} if account.region == "us-east-1" else {"LocationConstraint": account.region}
    more = {"CreateBucketConfiguration": place} if place else {}
    account.s3.create_bucket(Bucket=planned["bucket"], ACL=planned.get("acl") or "private", **more)
    _tag_bucket(account, {}, {**planned, "id": planned["bucket"]})
    return str(planned["bucket"])


def _read_bucket(account: Any, current: State) -> State:
    name = current["id"]
    account.s3.head_bucket(Bucket=name)
    return {
        "bucket": name,
        "arn": f"arn:aws:s3:::{name}",
        "region": account.region,
        "bucket_domain_name": f"{name}.s3.amazonaws.com",
        "bucket_regional_domain_name": f"{name}.s3.{account.region}.amazonaws.com",
    }


def _tag_bucket(account: Any, current: State, planned: State) -> None:
    tags = _listed(planned.get("tags"))
    if tags:
        account.s3.put_bucket_tagging(Bucket=planned["id"], Tagging={"TagSet": tags})
    elif current.get("tags"):
        account.s3.delete_bucket_tagging(Bucket=planned["id"])


def _delete_bucket(account: Any, current: State) -> None:
    if current.get("force_destroy"):
        for page in account.s3.get_paginator("list_objects_v2").paginate(Bucket=current["id"]):
            for item in page.get("Contents") or ():
                account.s3.delete_object(Bucket=current["id"], Key=item["Key"])
    account.s3.delete_bucket(Bucket=current["id"])


ROWS: Final = (
    Row(
        name="vpc",
        attributes=[
            _required("cidr_block"),
            _optional("instance_tenancy", default="default"),
            Attribute("enable_dns_support", Bool(), optional=True, computed=True),
            Attribute("enable_dns_hostnames", Bool(), optional=True, computed=True),
            *_told("owner_id"),
            _TAGS,
        ],
        create=_create_vpc,
        read=_read_vpc,
        update=_update_vpc,
        delete=lambda account, current: account.ec2.delete_vpc(VpcId=current["id"]),
    ),
    Row(
        name="subnet",
        attributes=[
            _required("vpc_id"),
            _required("cidr_block"),
            _optional("availability_zone"),
            Attribute("map_public_ip_on_launch", Bool(), optional=True, computed=True),
            *_told("arn", "availability_zone_id", "owner_id"),
            _TAGS,
        ],
        create=_create_subnet,
        read=_read_subnet,
        update=_update_subnet,
        delete=lambda account, current: account.ec2.delete_subnet(SubnetId=current["id"]),
    ),
    Row(
        name="internet_gateway",
        attributes=[_optional("vpc_id"), *_told("owner_id"), _TAGS],
        create=_create_gateway,
        read=_read_gateway,
        update=_tag,
        delete=_delete_gateway,
    ),
    Row(
        name="security_group",
        attributes=[
            _required("vpc_id"),
            _required("name"),
            _optional("description", default="Managed by Terraform"),
            *_told("owner_id"),
            _TAGS,
        ],
        create=_create_group,
        read=_read_group,
        update=_tag,
        delete=lambda account, current: account.ec2.delete_security_group(GroupId=current["id"]),
    ),
    Row(
        name="security_group_rule",
        attributes=[
            _required("type"),
            _required("security_group_id"),
            _required("from_port", Number()),
            _required("to_port", Number()),
            _required("protocol"),
            _required("cidr_blocks", List(String())),
        ],
        create=_create_rule,
        read=_read_rule,
        delete=_delete_rule,
    ),
    Row(
        name="s3_bucket",
        attributes=[
            _required("bucket"),
            _optional("acl", default="private"),
            Attribute("force_destroy", Bool(), optional=True),
            *_told("arn", "region", "bucket_domain_name", "bucket_regional_domain_name"),
            _TAGS,
        ],
        create=_create_bucket,
        read=_read_bucket,
        update=_tag_bucket,
        delete=_delete_bucket,
    ),
)
