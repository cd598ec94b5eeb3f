"""What the engine must know of a node type of cloudify-aws-plugin before 2.0: whose new words its properties say.

Nouns, and the few named translations that are more than a renaming. The table is `rows.older`; `newer` reads a node
through it. An older type derives from the newer one and shares its row, its operations and its neighbours.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws.resource import Path, Step

OLDER_NODES: Final = "cloudify.aws.nodes."

Translation = Callable[[Any], dict[str, Any]]
"""From a property's value to parameters of the newer type's create call."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """A property of an older type.

    Attributes:
        to: where the create call's parameters take its value as it is; empty when `by` says it, or nothing does.
        by: says the value in parameters.
        property: property of the newer type that takes it instead.
        required: the author must give it.
    """

    name: str
    type: str = ""
    to: Path = ()
    by: Translation | None = None
    property: str = ""
    required: bool = False
    default: Any = None
    description: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Older:
    """An older type.

    Attributes:
        newer: full name of the node type that it is said in.
        words: its properties.
        named: parameter that takes `resource_id` as the name of what is made.
        steps: its operations that are not the newer type's, or that have a path of their own.
        told: runtime properties that blueprints read, from the description.
        told_first: those that keep what the first description told.
    """

    node_type: str
    newer: str
    words: tuple[Word, ...] = ()
    named: str = ""
    steps: tuple[Step, ...] = ()
    told: Mapping[str, Path] = field(default_factory=dict)
    told_first: Mapping[str, Path] = field(default_factory=dict)


def whole(parameter: str) -> Translation:
    """A number that may be written as text."""
    return lambda value: {parameter: int(value)}


def option(key: str) -> Translation:
    """An entry of DHCP options: one value or a list."""

    def say(value: Any) -> dict[str, Any]:
        values = [str(item) for item in (value if isinstance(value, list) else [value])]
        return {"DhcpConfigurations": [{"Key": key, "Values": values}]}

    return say


def listeners(value: Any) -> dict[str, Any]:
    """Listeners of a classic load balancer, each `[port, port of the instance, protocol, certificate]`."""
    return {
        "Listeners": [_listener(balancer, instance, said, said, *rest) for balancer, instance, said, *rest in value]
    }


def complex_listeners(value: Any) -> dict[str, Any]:
    """Listeners with a protocol of the instance's own in the fourth place."""
    return {"Listeners": [_listener(*given) for given in value]}


def launch(value: Any) -> dict[str, Any]:
    """`parameters` of an instance, in boto 2's words or in boto3's."""
    return _renamed(value, _LAUNCH)


def interface(value: Any) -> dict[str, Any]:
    """`parameters` of a network interface."""
    return _renamed(value, _INTERFACE)


def joined(first: dict[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters with others put in: lists one after the other, mappings field by field."""
    result = dict(first)
    for name, value in second.items():
        there = result.get(name)
        if isinstance(there, list) and isinstance(value, list):
            result[name] = [*there, *value]
        elif isinstance(there, dict) and isinstance(value, dict):
            result[name] = {**there, **value}
        else:
            result[name] = value
    return result


def permitted(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule of a security group as EC2 wants it; whether it lets traffic out (`egress`) is the caller's to read.

    Raises:
        NonRecoverableError: it names both a range and a group, or neither.
    """
    block, group = rule.get("cidr_ip"), rule.get("src_group_id")
    if bool(block) == bool(group):
        raise NonRecoverableError(f"a rule takes either cidr_ip or src_group_id: {dict(rule)}")
    said: dict[str, Any] = {"IpProtocol": str(rule.get("ip_protocol", "-1"))}
    said |= {new: int(rule[old]) for old, new in _PORTS.items() if rule.get(old) not in (None, "")}
    if group:
        known = "GroupId" if str(group).startswith("sg-") else "GroupName"
        return {**said, "UserIdGroupPairs": [{known: str(group)}]}
    ranges = ("Ipv6Ranges", "CidrIpv6") if ":" in str(block) else ("IpRanges", "CidrIp")
    return {**said, ranges[0]: [{ranges[1]: str(block)}]}


def entry(rule: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of a network ACL as EC2 wants it; empty texts are nothings."""
    given = {name: value for name, value in rule.items() if value not in (None, "")}
    said: dict[str, Any] = {
        "RuleNumber": int(given["rule_number"]),
        "Protocol": str(given["protocol"]),
        "RuleAction": str(given["rule_action"]).lower(),
        "CidrBlock": given["cidr_block"],
        "Egress": bool(given.get("egress", False)),
    }
    if "port_range_from" in given:
        said["PortRange"] = {"From": int(given["port_range_from"]), "To": int(given["port_range_to"])}
    if "icmp_type" in given:
        said["IcmpTypeCode"] = {"Type": int(given["icmp_type"]), "Code": int(given.get("icmp_code", -1))}
    return said


def route(given: Mapping[str, Any]) -> dict[str, Any]:
    """A route as EC2 wants it."""
    return _renamed({name: value for name, value in given.items() if value not in (None, "")}, _ROUTE)


def health_check(given: Mapping[str, Any]) -> dict[str, Any]:
    """A health check of a classic load balancer, with what the older plugin took for the rest."""
    return _renamed({**_USUAL_CHECK, **given}, _CHECK)


_PORTS: Final = {"from_port": "FromPort", "to_port": "ToPort"}


def _listener(balancer: Any, instance: Any, protocol: Any, own: Any, certificate: Any = None) -> dict[str, Any]:
    said = {
        "LoadBalancerPort": int(balancer),
        "InstancePort": int(instance),
        "Protocol": str(protocol).upper(),
        "InstanceProtocol": str(own).upper(),
    }
    return {**said, "SSLCertificateId": certificate} if certificate else said


def _renamed(given: Mapping[str, Any], words: Mapping[str, "Path | Translation"]) -> dict[str, Any]:
    """Say each parameter in the newer words; one that begins with a capital is boto3's already.

    Raises:
        NonRecoverableError: a parameter that neither knows.
    """
    said: dict[str, Any] = {}
    for name, value in given.items():
        if name[:1].isupper():
            said = joined(said, {name: value})
        elif name not in words:
            raise NonRecoverableError(f"{name} is none of {', '.join(sorted(words))}, nor a parameter of boto3's")
        elif value is not None:
            said = joined(said, at(words[name], value))
    return said


def at(place: "Path | Translation", value: Any) -> dict[str, Any]:
    """Return parameters with a value at a path, or as a translation says it."""
    if not isinstance(place, tuple):
        return place(value)
    said = value
    for key in reversed(place):
        said = {key: said}
    return dict(said)


def _devices(value: Any) -> dict[str, Any]:
    """Block devices, by the device's name."""
    if not isinstance(value, Mapping):
        return {"BlockDeviceMappings": value}
    mapped = [{"DeviceName": name, **_renamed(given, _DEVICE)} for name, given in value.items()]
    return {"BlockDeviceMappings": mapped}


_DEVICE: Final[dict[str, Path | Translation]] = {
    "size": lambda value: {"Ebs": {"VolumeSize": int(value)}},
    "volume_type": ("Ebs", "VolumeType"),
    "delete_on_termination": ("Ebs", "DeleteOnTermination"),
    "iops": ("Ebs", "Iops"),
    "snapshot_id": ("Ebs", "SnapshotId"),
    "encrypted": ("Ebs", "Encrypted"),
    "ephemeral_name": ("VirtualName",),
    "no_device": ("NoDevice",),
}
_LAUNCH: Final[dict[str, Path | Translation]] = {
    "image_id": ("ImageId",),
    "instance_type": ("InstanceType",),
    "key_name": ("KeyName",),
    "security_groups": ("SecurityGroups",),
    "security_group_ids": ("SecurityGroupIds",),
    "user_data": ("UserData",),
    "placement": ("Placement", "AvailabilityZone"),
    "placement_group": ("Placement", "GroupName"),
    "tenancy": ("Placement", "Tenancy"),
    "kernel_id": ("KernelId",),
    "ramdisk_id": ("RamdiskId",),
    "monitoring_enabled": ("Monitoring", "Enabled"),
    "subnet_id": ("SubnetId",),
    "block_device_map": _devices,
    "disable_api_termination": ("DisableApiTermination",),
    "instance_initiated_shutdown_behavior": ("InstanceInitiatedShutdownBehavior",),
    "private_ip_address": ("PrivateIpAddress",),
    "additional_info": ("AdditionalInfo",),
    "instance_profile_name": ("IamInstanceProfile", "Name"),
    "instance_profile_arn": ("IamInstanceProfile", "Arn"),
    "ebs_optimized": ("EbsOptimized",),
    "network_interfaces": ("NetworkInterfaces",),
    "dry_run": ("DryRun",),
}
_INTERFACE: Final[dict[str, Path | Translation]] = {
    "subnet_id": ("SubnetId",),
    "private_ip_address": ("PrivateIpAddress",),
    "description": ("Description",),
    "groups": ("Groups",),
    "dry_run": ("DryRun",),
}
_ROUTE: Final[dict[str, Path | Translation]] = {
    "destination_cidr_block": ("DestinationCidrBlock",),
    "gateway_id": ("GatewayId",),
    "instance_id": ("InstanceId",),
    "interface_id": ("NetworkInterfaceId",),
    "vpc_peering_connection_id": ("VpcPeeringConnectionId",),
}
_CHECK: Final[dict[str, Path | Translation]] = {
    "target": ("Target",),
    "interval": whole("Interval"),
    "timeout": whole("Timeout"),
    "healthy_threshold": whole("HealthyThreshold"),
    "unhealthy_threshold": whole("UnhealthyThreshold"),
}
_USUAL_CHECK: Final = {"interval": 30, "timeout": 5, "healthy_threshold": 3, "unhealthy_threshold": 5}
