"""Network interfaces and public addresses: who holds what, and that a machine answers where AWS says it does."""

from collections.abc import Iterable
from typing import Any

from moto.ec2.exceptions import EC2ClientError

from groundplan_sandbox.aws.ec2.networks import NetworkCorrections


class InterfaceCorrections(NetworkCorrections):
    """Create, delete, attach, detach an interface; associate, disassociate, release an elastic address."""

    def create_network_interface(self, subnet: Any, private_ip_address: Any, *args: Any, **kwargs: Any) -> Any:
        """A private address that is free in the subnet; moto draws one at random, the network's own included."""
        place = self.get_subnet(subnet) if isinstance(subnet, str) else subnet
        listed = kwargs.get("private_ip_addresses") or (args[0] if args else None)
        chosen = private_ip_address or (None if listed else place.get_available_subnet_ip(instance=None))
        return super().create_network_interface(place, chosen, *args, **kwargs)

    def delete_network_interface(self, eni_id: str) -> None:
        """An attached interface is refused; a deleted one leaves its elastic address and its private one free."""
        eni = self.get_network_interface(eni_id)
        refuse_in_use(eni)
        for address in [address for address in self.addresses if address.eni is eni]:
            self.disassociate_address(address=address.public_ip)
        super().delete_network_interface(eni_id)
        for private in eni.private_ip_addresses:
            eni.subnet.del_subnet_ip(private["PrivateIpAddress"])

    def attach_network_interface(self, eni_id: str, instance_id: str, device_index: int) -> Any:
        """An attached interface is refused; the machine answers on what a new one brings."""
        refuse_in_use(self.get_network_interface(eni_id))
        attachment = super().attach_network_interface(eni_id, instance_id, device_index)
        self.world.instances.readdress(self.get_instance(instance_id))
        return attachment

    def detach_network_interface(self, attachment_id: str) -> None:
        """The machine stops answering on the interface's addresses. The primary one stays (OperationNotPermitted)."""
        attached = next((eni for eni in self.enis.values() if eni.attachment_id == attachment_id), None)
        instance = attached.instance if attached else None
        if attached is not None and attached.device_index == 0:
            raise EC2ClientError("OperationNotPermitted", "The network interface at device index 0 cannot be detached.")
        super().detach_network_interface(attachment_id)
        if instance is not None:
            self.world.instances.readdress(instance)

    def associate_address(self, instance: Any = None, eni: Any = None, *args: Any, **kwargs: Any) -> Any:
        """The machine answers on the address at once. A VPC without internet gateway refuses (Gateway.NotAttached)."""
        target = eni or instance.nics[0]
        if not self.gateways_of(target.subnet.vpc_id):
            raise EC2ClientError(
                "Gateway.NotAttached", f"Network {target.subnet.vpc_id} is not attached to any internet gateway"
            )
        previous = next((a.eni for a in self._addresses_named(kwargs) if a.eni is not None), None)
        automatic = self.automatic_addresses([target])
        address = super().associate_address(instance, eni, *args, **kwargs)
        if previous is not None and previous is not target:
            previous.public_ip = None
            self._readdress(previous)
        self._readdress(target)
        self.release_public(automatic - self.automatic_addresses([target]))
        return address

    def disassociate_address(self, address: str | None = None, association_id: str | None = None) -> None:
        """The machine stops answering on the address before the call returns."""
        named = self.address_by_ip([address]) if address else self.address_by_association([association_id])
        eni = named[0].eni
        super().disassociate_address(address=address, association_id=association_id)
        if eni is not None:
            self._readdress(eni)

    def release_address(self, address: str | None = None, allocation_id: str | None = None) -> None:
        """An associated address is refused (InvalidIPAddress.InUse); moto takes it away from under its user."""
        named = self.address_by_ip([address]) if address else self.address_by_allocation([allocation_id])
        public_ip = named[0].public_ip
        if named[0].association_id or named[0].eni is not None:
            raise EC2ClientError("InvalidIPAddress.InUse", f"Address {public_ip} is in use.")
        super().release_address(address=address, allocation_id=allocation_id)
        self.world.addresses.release(public_ip)

    def _addresses_named(self, names: dict[str, Any]) -> list[Any]:
        if names.get("address"):
            return list(self.address_by_ip([names["address"]]))
        return list(self.address_by_allocation([names["allocation_id"]])) if names.get("allocation_id") else []

    def _readdress(self, eni: Any) -> None:
        if eni.instance is not None:
            self.world.instances.readdress(eni.instance)

    def automatic_addresses(self, interfaces: Iterable[Any]) -> set[str]:
        """Public addresses that EC2 gave by itself and takes back when the instance stops."""
        elastic = {address.public_ip for address in self.addresses}
        return {nic.public_ip for nic in interfaces if nic.public_ip} - elastic


def refuse_in_use(eni: Any) -> None:
    """Raises EC2ClientError when the interface is attached."""
    if eni.instance is not None or eni.status == "in-use":
        raise EC2ClientError("InvalidNetworkInterface.InUse", f"Interface: [{eni.id}] in use.")
