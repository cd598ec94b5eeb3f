"""Drift: a resource of a stack that is there no more was deleted behind its back.

That is all that is looked at: properties are not compared, which DetectStackDrift would do for AWS's own.
"""

from typing import Any

from moto.ec2.models import ec2_backends

from groundplan_sandbox.aws.cloudformation.stacks import Member, SandboxStack

_PLACES = {
    "AWS::RDS::DBInstance": lambda resource, ec2: resource.backend.databases.values(),
    "AWS::RDS::DBSubnetGroup": lambda resource, ec2: resource.backend.subnet_groups.values(),
    "AWS::EC2::SecurityGroup": lambda resource, ec2: ec2.groups.get(resource.vpc_id, {}).values(),
    "AWS::EC2::Subnet": lambda resource, ec2: ec2.get_all_subnets(),
    "AWS::EC2::VPC": lambda resource, ec2: ec2.vpcs.values(),
}
"""Where resources of a type are found; those of other types are NOT_CHECKED, as types that AWS does not support are."""


def drift_of(stack: SandboxStack, member: Member) -> str:
    """IN_SYNC, DELETED or NOT_CHECKED (StackResourceDriftStatus)."""
    place = _PLACES.get(member.kind)
    if place is None or member.resource is None:
        return "NOT_CHECKED"
    ec2 = ec2_backends[stack.account_id][stack.region_name]
    found: Any = place(member.resource, ec2)
    return "IN_SYNC" if any(each is member.resource for each in found) else "DELETED"
