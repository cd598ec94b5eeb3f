"""Takes from a described resource the runtime properties that blueprints read by name, beside id and description."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from groundplan_aws import clusters
from groundplan_aws.newer import older_of
from groundplan_aws.resource import dig, first
from groundplan_aws.rows import compute, delivery, ec2, identity, storage
from groundplan_aws.target import Target, plain

Description = Mapping[str, Any]


def take(target: Target, description: Description) -> None:
    """Record what this kind of resource is read for; nothing for most kinds."""
    taking = _TAKEN.get(target.resource.node_type)
    if taking is not None:
        taking(target, description)
    older = older_of(target.ctx.node)
    if older is not None:
        target.record.update({name: plain(first(description, path)) for name, path in older.told.items()})
        for name, path in older.told_first.items():
            target.record.setdefault(name, plain(first(description, path)))


def _vpc(target: Target, description: Description) -> None:
    """`main_route_table_id`: the table that subnets without one of their own use."""
    of_vpc = {"Name": "vpc-id", "Values": [description["VpcId"]]}
    tables = dig(target.api.call("describe_route_tables", Filters=[of_vpc]), ("RouteTables",))
    main = (table["RouteTableId"] for table in tables if any(dig(table, ("Associations", "Main"))))
    target.record["main_route_table_id"] = next(main, None)


def _elastic_ip(target: Target, description: Description) -> None:
    target.record["allocation_id"] = description.get("AllocationId")


def _spot_instances(target: Target, description: Description) -> None:
    """`instance_ids`: what came of the request; it is kept when AWS forgets the request."""
    earlier: Any = target.record.get("instance_ids") or []
    told = [str(found) for found in dig(description, ("InstanceId",))]
    target.record["instance_ids"] = list(dict.fromkeys([*earlier, *told]))


def _fleet(target: Target, description: Description) -> None:
    """`instance_ids`: what the fleet has now."""
    pages = target.api.pages("describe_spot_fleet_instances", SpotFleetRequestId=description["SpotFleetRequestId"])
    target.record["instance_ids"] = [found["InstanceId"] for page in pages for found in page.get("ActiveInstances", ())]


def addresses(target: Target, description: Description) -> None:
    """Record the addresses of an instance; `ip` is the one by which it is reached (`use_public_ip`, `use_ipv6_ip`)."""
    record, properties = target.record, target.ctx.node.properties
    private, public = description.get("PrivateIpAddress"), description.get("PublicIpAddress")
    version_4 = dig(description, ("NetworkInterfaces", "PrivateIpAddresses", "PrivateIpAddress"))
    version_6 = dig(description, ("NetworkInterfaces", "Ipv6Addresses", "Ipv6Address"))
    record["private_ip_address"], record["public_ip_address"] = private, public
    record["ipv4_addresses"], record["ipv6_addresses"] = version_4, version_6
    record["ipv4_address"] = private
    record["ipv6_address"] = next(iter(version_6), None)
    record["ip"] = private
    if properties.get("use_ipv6_ip") and version_6:
        record["ip"] = version_6[0]
    if properties.get("use_public_ip"):
        record["ip"] = public


def _bucket(target: Target, description: Description) -> None:
    """`url`: where clients reach the bucket."""
    target.record["url"] = _address(target.api.endpoint, str(description["Bucket"]))


def _address(endpoint: str, bucket: str) -> str:
    """Return a bucket's URL: a host of its own where Amazon has one for it, else a path of the endpoint's."""
    parts = urlsplit(endpoint)
    of_amazon = (parts.hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn"))
    # A dot in the name would make a host that Amazon's certificate does not cover.
    if of_amazon and "." not in bucket:
        return f"{parts.scheme}://{bucket}.{parts.netloc}"
    return f"{endpoint.rstrip('/')}/{bucket}"


def _cluster(target: Target, description: Description) -> None:
    """`kubeconf`, unless `store_kube_config_in_runtime` is off."""
    if target.ctx.node.properties.get("store_kube_config_in_runtime") and description.get("endpoint"):
        target.record["kubeconf"] = clusters.kubeconfig(target.ctx, target.account, description)


def _mount_target(target: Target, description: Description) -> None:
    """Where the file system is reached, and by which interface."""
    for name in ("FileSystemId", "SubnetId", "IpAddress", "NetworkInterfaceId"):
        target.record[name] = description.get(name)


def _in_its_name(target: Target, description: Description) -> None:
    """`create_response` holds the description under the name that Cognito answers it by, too."""
    told: Any = target.record["create_response"]
    target.record["create_response"] = {**told, target.resource.made[0]: dict(told)}


def _stack(target: Target, description: Description) -> None:
    """The stack's fields, its outputs by key (`outputs_items`), its resources (`state`) and whether it drifted."""
    record = target.record
    record.update({name: plain(value) for name, value in description.items()})
    record["outputs_items"] = {item["OutputKey"]: item["OutputValue"] for item in description.get("Outputs", ())}
    pages = target.api.pages("list_stack_resources", StackName=description["StackName"])
    record["state"] = [plain(found) for page in pages for found in page.get("StackResourceSummaries", ())]
    drift = first(description, ("DriftInformation", "StackDriftStatus"))
    record["is_drifted"] = drift == "DRIFTED"


_TAKEN: Final[dict[str, Callable[[Target, Description], None]]] = {
    ec2.VPC.node_type: _vpc,
    ec2.ELASTIC_IP.node_type: _elastic_ip,
    ec2.INSTANCES.node_type: addresses,
    ec2.SPOT_FLEET.node_type: _fleet,
    ec2.SPOT_INSTANCES.node_type: _spot_instances,
    compute.EKS_CLUSTER.node_type: _cluster,
    delivery.STACK.node_type: _stack,
    identity.IDENTITY_PROVIDER.node_type: _in_its_name,
    identity.USER_POOL.node_type: _in_its_name,
    identity.USER_POOL_CLIENT.node_type: _in_its_name,
    storage.MOUNT_TARGET.node_type: _mount_target,
    storage.BUCKET.node_type: _bucket,
}
