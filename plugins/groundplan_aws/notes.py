"""Takes from a described resource the runtime properties that blueprints read by name, beside id and description."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from groundplan_aws import catalogue
from groundplan_aws.resource import dig
from groundplan_aws.target import Target

Description = Mapping[str, Any]


def take(target: Target, description: Description) -> None:
    """Record what this kind of resource is read for; nothing for most kinds."""
    taking = _TAKEN.get(target.resource.node_type)
    if taking is not None:
        taking(target, description)


def _vpc(target: Target, description: Description) -> None:
    """`main_route_table_id`: the table that subnets without one of their own use."""
    of_vpc = {"Name": "vpc-id", "Values": [description["VpcId"]]}
    tables = dig(target.api.call("describe_route_tables", Filters=[of_vpc]), ("RouteTables",))
    main = (table["RouteTableId"] for table in tables if any(dig(table, ("Associations", "Main"))))
    target.record["main_route_table_id"] = next(main, None)


def _elastic_ip(target: Target, description: Description) -> None:
    target.record["allocation_id"] = description.get("AllocationId")


def _instance(target: Target, description: Description) -> None:
    """Addresses; `ip` is the one by which the instance is reached (`use_public_ip`, `use_ipv6_ip`)."""
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


_TAKEN: Final[dict[str, Callable[[Target, Description], None]]] = {
    catalogue.VPC.node_type: _vpc,
    catalogue.ELASTIC_IP.node_type: _elastic_ip,
    catalogue.INSTANCES.node_type: _instance,
}
