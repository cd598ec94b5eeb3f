"""Finishes the parameters of create calls where the table's gifts cannot say how.

Pure: parameters and what neighbours recorded go in, nothing is asked of AWS.
"""

import base64
import json
from typing import Any, Final

from groundplan_aws.resource import EC2_NODES, Related

_VPC: Final = f"{EC2_NODES}Vpc"
_ELASTIC_IP: Final = f"{EC2_NODES}ElasticIP"
_INTERFACE: Final = f"{EC2_NODES}Interface"
_KEYPAIR: Final = f"{EC2_NODES}Keypair"
_SUBNET: Final = f"{EC2_NODES}Subnet"
_SECURITY_GROUP: Final = f"{EC2_NODES}SecurityGroup"
_IPV6_OF_VPC: Final = "/56"
_LAUNCH_GIFTS: Final = {"KeyName": _KEYPAIR, "SubnetId": _SUBNET, "SecurityGroupIds": _SECURITY_GROUP}


def subnet(parameters: dict[str, Any], related: Related) -> None:
    """A subnet without a block of its own takes its VPC's whole block; of IPv6 it has the first /64."""
    block = str(parameters.get("Ipv6CidrBlock") or "")
    if block.endswith(_IPV6_OF_VPC):
        parameters["Ipv6CidrBlock"] = block.removesuffix(_IPV6_OF_VPC) + "/64"
    if not parameters.get("CidrBlock") and not parameters.get("Ipv6Native"):
        configurations = related.values(_VPC, "resource_config")
        blocks = [found["CidrBlock"] for found in configurations if found.get("CidrBlock")]
        parameters.pop("CidrBlock", None)
        if blocks:
            parameters["CidrBlock"] = blocks[0]


def keypair(parameters: dict[str, Any], related: Related) -> None:
    """A key pair without a name is called after its node instance."""
    parameters.setdefault("KeyName", related.instance_id)


def security_group(parameters: dict[str, Any], related: Related) -> None:
    """A security group without a name is called after its node instance."""
    parameters.setdefault("GroupName", related.instance_id)


def nat_gateway(parameters: dict[str, Any], related: Related) -> None:
    """A public gateway takes the address of the related elastic IP; without one the gateway can only be private."""
    allocations = related.values(_ELASTIC_IP, "allocation_id")
    if allocations and parameters.get("ConnectivityType") != "private":
        parameters.setdefault("AllocationId", allocations[0])


def bucket(parameters: dict[str, Any], related: Related) -> None:
    """The region us-east-1 is named by leaving it out (S3 API reference, "CreateBucketConfiguration")."""
    configuration = parameters.get("CreateBucketConfiguration") or {}
    if configuration.get("LocationConstraint") == "us-east-1":
        kept = {name: value for name, value in configuration.items() if name != "LocationConstraint"}
        parameters["CreateBucketConfiguration"] = kept
        if not kept:
            del parameters["CreateBucketConfiguration"]


def instances(parameters: dict[str, Any], related: Related) -> None:
    """Related interfaces become the instance's, in the order of the relationships; user data becomes text."""
    given = list(parameters.get("NetworkInterfaces", ()))
    known = {nic.get("NetworkInterfaceId") for nic in given}
    attached = [
        {"NetworkInterfaceId": found} for found in related.values(_INTERFACE, "aws_resource_id") if found not in known
    ]
    if given or attached:
        parameters["NetworkInterfaces"] = _numbered([*attached, *given])
    if isinstance(parameters.get("UserData"), dict | list):
        parameters["UserData"] = json.dumps(parameters["UserData"])


def spot_instances(parameters: dict[str, Any], related: Related) -> None:
    """Related nodes give the launch specification what they give an instance; user data is sent in base64."""
    launch = dict(parameters.get("LaunchSpecification") or {})
    instances(launch, related)
    gifts = {"KeyName": _KEYPAIR} if launch.get("NetworkInterfaces") else _LAUNCH_GIFTS
    for name, node_type in gifts.items():
        values = related.values(node_type, "aws_resource_id")
        if values and not launch.get(name):
            launch[name] = values if name == "SecurityGroupIds" else values[0]
    if launch.get("UserData"):
        launch["UserData"] = base64.b64encode(str(launch["UserData"]).encode()).decode()
    parameters["LaunchSpecification"] = launch


def _numbered(nics: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give each interface without a device index the lowest free one."""
    taken = {nic["DeviceIndex"] for nic in nics if "DeviceIndex" in nic}
    free = (index for index in range(len(nics) + len(taken)) if index not in taken)
    return [nic if "DeviceIndex" in nic else {**nic, "DeviceIndex": next(free)} for nic in nics]
