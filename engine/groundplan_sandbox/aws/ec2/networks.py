"""Networks: nothing goes while something depends on it (DependencyViolation).

moto deletes a subnet under an interface, a group under its wearer, a gateway under its users; an uninstall in the wrong
order would pass here and fail on AWS.
"""

from typing import Any

from moto.ec2.exceptions import DependencyViolationError, InvalidAvailabilityZoneError
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

from groundplan_sandbox.aws.ec2.world import WorldBackend


class NetworkCorrections(WorldBackend):
    """Subnets, security groups, VPCs, internet gateways."""

    def create_subnet(
        self,
        vpc_id: str,
        cidr_block: str,
        ipv6_cidr_block: str | None = None,
        availability_zone: str | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """A zone of another region is refused, and only this region's are named."""
        zones = [zone.name for zone in RegionsAndZonesBackend.zones[self.region_name]]
        if availability_zone and availability_zone not in zones:
            raise InvalidAvailabilityZoneError(availability_zone, ", ".join(zones))
        return super().create_subnet(vpc_id, cidr_block, ipv6_cidr_block, availability_zone, *args, **kwargs)

    def delete_subnet(self, subnet_id: str) -> Any:
        """A subnet with an interface in it stays."""
        if any(eni.subnet.id == subnet_id for eni in self.enis.values()):
            raise _dependencies("subnet", subnet_id)
        return super().delete_subnet(subnet_id)

    def delete_security_group(self, name: str | None = None, group_id: str | None = None) -> None:
        """A group that an interface or another group's rule names stays."""
        group = self.get_security_group_from_id(group_id) if group_id else self.get_security_group_by_name_or_id(name)
        if group is not None and (self._is_worn(group) or self._is_named_in_rules(group)):
            raise DependencyViolationError(f"resource {group.id} has a dependent object")
        super().delete_security_group(name=name, group_id=group_id)

    def delete_vpc(self, vpc_id: str) -> Any:
        """A VPC with a gateway or a group of somebody's making stays; moto looks at subnets and route tables only."""
        groups = [group for group in self.groups.get(vpc_id, {}).values() if group.name != "default"]
        if groups or self.gateways_of(vpc_id):
            raise _dependencies("vpc", vpc_id)
        return super().delete_vpc(vpc_id)

    def detach_internet_gateway(self, internet_gateway_id: str, vpc_id: str) -> None:
        """The gateway stays while public addresses are mapped into its VPC."""
        if any(eni.public_ip and eni.vpc_id == vpc_id for eni in self.enis.values()):
            raise DependencyViolationError(
                f"Network {vpc_id} has some mapped public address(es). "
                "Please unmap those public address(es) before detaching the gateway."
            )
        super().detach_internet_gateway(internet_gateway_id, vpc_id)

    def gateways_of(self, vpc_id: str) -> list[Any]:
        return [gateway for gateway in self.internet_gateways.values() if gateway.vpc and gateway.vpc.id == vpc_id]

    def _is_worn(self, group: Any) -> bool:
        return any(group.id == worn.id for eni in self.enis.values() for worn in eni.group_set)

    def _is_named_in_rules(self, group: Any) -> bool:
        others = (other for other in self.groups[group.vpc_id].values() if other.id != group.id)
        rules = (rule for other in others for rule in [*other.ingress_rules, *other.egress_rules])
        return any((rule.source_group or {}).get("GroupId") == group.id for rule in rules)


def _dependencies(kind: str, identifier: str) -> Exception:
    error: Exception = DependencyViolationError(f"The {kind} '{identifier}' has dependencies and cannot be deleted.")
    return error
