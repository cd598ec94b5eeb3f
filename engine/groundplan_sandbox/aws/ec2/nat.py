"""NAT gateways: they take their time, and take their interface along."""

from typing import Any

from moto.ec2.exceptions import EC2ClientError, ResourceAlreadyAssociatedError

from groundplan_sandbox.aws.ec2.interfaces import InterfaceCorrections


class NatCorrections(InterfaceCorrections):
    """Create and delete a NAT gateway."""

    def create_nat_gateway(
        self, subnet_id: str, allocation_id: str | None, tags: Any = None, connectivity_type: str | None = None
    ) -> Any:
        """`pending` first; a public one, the default, needs an elastic address (MissingParameter)."""
        kind = connectivity_type or "public"
        if kind == "public" and not allocation_id:
            raise EC2ClientError("MissingParameter", "The request must include the AllocationId parameter.")
        if allocation_id:
            # moto looks only when it has made the interface, which would then stay in the subnet.
            [address] = self.address_by_allocation([allocation_id])
            if kind == "public" and (address.eni or address.instance):
                raise ResourceAlreadyAssociatedError(address.public_ip)
        if kind == "public" and not self.gateways_of(self.get_subnet(subnet_id).vpc_id):
            vpc_id = self.get_subnet(subnet_id).vpc_id
            raise EC2ClientError("Gateway.NotAttached", f"Network {vpc_id} is not attached to any internet gateway")
        gateway = super().create_nat_gateway(subnet_id, allocation_id, tags, kind)
        gateway._eni.status = "in-use"
        gateway.state = "pending"
        self.world.instances.transitions.later(lambda: _turn(gateway, "pending", "available"))
        return gateway

    def describe_nat_gateways(self, filters: Any, nat_gateway_ids: list[str] | None) -> list[Any]:
        """An unknown id is refused (NatGatewayNotFound); moto leaves it out."""
        for unknown in (each for each in nat_gateway_ids or [] if each not in self.nat_gateways):
            raise EC2ClientError("NatGatewayNotFound", f"The Nat Gateway {unknown} was not found")
        found: list[Any] = super().describe_nat_gateways(filters, nat_gateway_ids)
        return found

    def delete_nat_gateway(self, nat_gateway_id: str) -> Any:
        """`deleting` first, and its interface goes with it; in moto that interface keeps the subnet for ever."""
        gateway = self.nat_gateways.get(nat_gateway_id)
        if gateway is None or gateway.state == "deleted":
            raise EC2ClientError("NatGatewayNotFound", f"The Nat Gateway {nat_gateway_id} was not found")
        if gateway.state == "deleting":
            return gateway
        gateway.state = "deleting"
        self.world.instances.transitions.later(lambda: self._remove_nat_gateway(gateway))
        return gateway

    def _remove_nat_gateway(self, gateway: Any) -> None:
        gateway._eni.status = "available"
        self.delete_network_interface(gateway._eni.id)
        gateway.state = "deleted"


def _turn(gateway: Any, before: str, after: str) -> None:
    if gateway.state == before:
        gateway.state = after
