"""What a cluster has in its VPC: a security group of its own, an interface in each subnet, one for each node.

They are why AWS keeps a subnet, a group or a VPC while a cluster is there (DependencyViolation); moto's clusters leave
no trace in EC2.
"""

import contextlib
from collections.abc import Sequence
from typing import Any

from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models import ec2_backends
from moto.eks.exceptions import InvalidParameterException
from moto.moto_api._internal import mock_random

from groundplan_sandbox.aws.ec2.attach import attach, detach

_ZONES = 2


class ClusterNetwork:
    """The part of one region's EC2 that belongs to EKS. `name`: a cluster's."""

    def __init__(self, account_id: str, region_name: str) -> None:
        self._ec2 = ec2_backends[account_id][region_name]

    def subnets(self, subnet_ids: Sequence[str]) -> list[Any]:
        """The subnets of these ids. Raises InvalidParameterException for an unknown one, as EKS words it."""
        return [self._subnet(subnet_id) for subnet_id in subnet_ids]

    def vpc_of_cluster(self, subnet_ids: Sequence[str], group_ids: Sequence[str]) -> str:
        """The VPC of a new cluster. Raises InvalidParameterException: a subnet or group unknown, of one zone only."""
        subnets = self.subnets(subnet_ids)
        if len({subnet.availability_zone for subnet in subnets}) < _ZONES:
            raise refusal("Subnets specified must be in at least two different AZs")
        vpcs = {subnet.vpc_id for subnet in subnets}
        if len(vpcs) > 1:
            raise refusal("Subnets specified must belong to the same VPC")
        for group_id in group_ids:
            group = self._ec2.get_security_group_from_id(group_id)
            if group is None or group.vpc_id not in vpcs:
                raise refusal(f"The security group '{group_id}' does not exist")
        vpc: str = vpcs.pop()
        return vpc

    def open(self, name: str, vpc_id: str, subnet_ids: Sequence[str], group_ids: Sequence[str]) -> str:
        """Make the group and the interfaces of a cluster; gives the group's id."""
        group = self._ec2.create_security_group(
            f"eks-cluster-sg-{name}-{mock_random.randint(10**8, 10**9 - 1)}",
            "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes",
            vpc_id,
            {"aws:eks:cluster-name": name, f"kubernetes.io/cluster/{name}": "owned"},
        )
        for subnet_id in subnet_ids:
            self.attach(f"Amazon EKS {name}", subnet_id, [group.id, *group_ids])
        group_id: str = group.id
        return group_id

    def attach(self, description: str, subnet_id: str, group_ids: Sequence[str]) -> Any:
        """An interface in use in a subnet."""
        self._subnet(subnet_id)
        return attach(self._ec2, subnet_id, group_ids, description)

    def detach(self, eni: Any) -> None:
        """Remove an interface of `attach`; one that is gone is fine."""
        detach(self._ec2, eni)

    def close(self, name: str, group_id: str) -> None:
        """Remove what `open` made. A group that somebody uses stays, as in AWS."""
        for eni in [eni for eni in self._ec2.enis.values() if eni.description == f"Amazon EKS {name}"]:
            self.detach(eni)
        with contextlib.suppress(DependencyViolationError):
            self._ec2.delete_security_group(group_id=group_id)

    def _subnet(self, subnet_id: str) -> Any:
        try:
            return self._ec2.get_subnet(subnet_id)
        except EC2ClientError as error:
            raise refusal(f"The subnet ID '{subnet_id}' does not exist") from error


def refusal(message: str) -> Exception:
    """An InvalidParameterException with every field that EKS gives one."""
    error: Exception = InvalidParameterException(
        clusterName=None, nodegroupName=None, fargateProfileName=None, addonName=None, message=message
    )
    return error
