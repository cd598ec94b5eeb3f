"""EC2 as AWS answers it, where moto 5.2.5 does not: each method below is one correction, the reason in its docstring.

moto's own backend does the work; this subclass refuses what AWS refuses ("Error codes for the Amazon EC2 API"), lets states take
their time through `instances`, and hands out addresses from `addresses`. It takes moto's private parts in hand, so moto is pinned.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from moto import settings
from moto.ec2 import urls
from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models import EC2Backend, ec2_backends, elastic_ip_addresses, elastic_network_interfaces
from moto.ec2.models.amis import Ami
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend, Zone

from groundplan_sandbox.aws.addresses import AddressPool, NoAddressError
from groundplan_sandbox.aws.catalogue import EXTRA_ZONES, IMAGES
from groundplan_sandbox.aws.instances import Instances

NO_CLIENT_TOKEN = "ABCDE"  # noqa: S105 - what moto puts where the caller gave no ClientToken


@dataclass(frozen=True, kw_only=True)
class World:
    """What the emulated EC2 stands on. `public_key`: OpenSSH's one-line form, known to every region as `keypair_name`."""

    instances: Instances
    addresses: AddressPool
    keypair_name: str
    public_key: str


def install(world: World) -> None:
    """Make every EC2 region of this process one of `world`. moto's state is per process, and so is this."""
    ec2_backends.backend = type("SandboxEC2", (CorrectedEC2,), {"world": world})
    # Read at each RunInstances: without them moto runs instances of images and keys that do not exist.
    settings.ENABLE_AMI_VALIDATION = True
    settings.ENABLE_KEYPAIR_VALIDATION = True
    # moto makes up addresses that no socket could be bound to, or that another program holds.
    elastic_ip_addresses.random_ip = elastic_network_interfaces.random_public_ip = _address_source(world.addresses)
    _add_zones()


def _add_zones() -> None:
    for extra in EXTRA_ZONES:
        zones = RegionsAndZonesBackend.zones[extra.region]
        if all(zone.name != extra.name for zone in zones):
            zones.append(Zone(region_name=extra.region, name=extra.name, zone_id=extra.zone_id))


def _address_source(pool: AddressPool) -> Callable[[], str]:
    def take() -> str:
        try:
            return pool.take()
        except NoAddressError as error:
            raise EC2ClientError("AddressLimitExceeded", str(error)) from error

    return take


class CorrectedEC2(EC2Backend):  # type: ignore[misc]  # moto's classes are untyped to us
    """One region."""

    world: World

    def __init__(self, region_name: str, account_id: str) -> None:
        """Adds what a blueprint expects of an account: its key pair, and a default VPC that reaches the internet."""
        super().__init__(region_name, account_id)
        self.import_key_pair(self.world.keypair_name, self.world.public_key.encode(), {})
        self.attach_internet_gateway(self.create_internet_gateway().id, self.default_vpc.id)

    @property
    def _url_module(self) -> Any:
        """moto finds a backend's URLs by the name of its module, which a subclass elsewhere would hide."""
        return urls

    def _load_amis(self) -> None:
        """The images that blueprints name. moto's own list has none of them and costs each region half a second."""
        for image in IMAGES:
            fields = asdict(image)
            self.amis[image.ami_id] = Ami(
                self,
                ami_id=fields["ami_id"],
                name=image.name,
                description=image.name,
                owner_id=image.owner_id,
                creation_date=image.created,
                public=True,
                virtualization_type="hvm",
                architecture="x86_64",
                hypervisor="xen",
                root_device_type="ebs",
                region_name=f"{self.region_name}a",
            )

    # Instances

    def run_instances(self, image_id: str, count: int, *args: Any, **kwargs: Any) -> Any:
        """Instances start `pending` and get a machine; a repeated ClientToken gives the first answer again.

        An interface that is attached elsewhere is refused; one that EC2 makes for the instance goes with it.
        """
        if earlier := self._reservation_of(kwargs.get("client_token")):
            return earlier
        if not image_id and not kwargs.get("launch_template"):
            raise EC2ClientError("MissingParameter", "The request must contain the parameter ImageId")
        given = {nic["NetworkInterfaceId"] for nic in kwargs.get("nics", []) if "NetworkInterfaceId" in nic}
        for eni_id in given:
            self._refuse_in_use(self.get_network_interface(eni_id))
        kept = {int(nic["DeviceIndex"]) for nic in kwargs.get("nics", []) if nic.get("DeleteOnTermination") is False}
        reservation = super().run_instances(image_id, count, *args, **kwargs)
        for instance in reservation.instances:
            for index, nic in instance.nics.items():
                nic.delete_on_termination = nic.id not in given and index not in kept
            self.world.instances.boot(instance, self._authorized_keys(instance.key_name))
        return reservation

    def start_instances(self, instance_ids: list[str]) -> Any:
        """Starting takes time, and only a stopped instance starts (IncorrectInstanceState)."""
        instances = self.get_multi_instances_by_id(instance_ids)
        for instance in instances:
            _require(instance, ("stopped", "running", "pending"), "started")
        stopped = [instance for instance in instances if instance.state == "stopped"]
        before = super().start_instances([instance.id for instance in stopped])
        for instance in stopped:
            self.world.instances.boot(instance)
        return before

    def stop_instances(self, instance_ids: list[str]) -> Any:
        """Stopping takes time and frees an automatic public address; a terminated instance does not stop."""
        instances = self.get_multi_instances_by_id(instance_ids)
        for instance in instances:
            _require(instance, ("stopped", "running", "stopping"), "stopped")
        running = [instance for instance in instances if instance.state == "running"]
        freed = {instance.id: self._automatic_addresses(instance) for instance in running}
        before = super().stop_instances([instance.id for instance in running])
        for instance in running:
            self.world.instances.halt(instance, self._releasing(freed[instance.id]))
        return before

    def terminate_instances(self, instance_ids: list[str]) -> Any:
        """Terminating takes time, and then the interfaces are free again.

        In moto they stay `in-use` for ever with an attachment that cannot be detached, so that nothing around the instance
        can be deleted.
        """
        alive = [
            i for i in self.get_multi_instances_by_id(instance_ids) if i.state not in ("shutting-down", "terminated")
        ]
        if instance_ids and not alive:
            return [(instance, instance._state) for instance in self.get_multi_instances_by_id(instance_ids)]
        own = {instance.id: self._take_own_interfaces(instance) for instance in alive}
        freed = {instance.id: self._automatic_addresses(instance) for instance in alive}
        before = super().terminate_instances([instance.id for instance in alive])
        for instance in alive:
            self.world.instances.destroy(instance, self._clearing(instance, own[instance.id], freed[instance.id]))
        return before

    def reboot_instances(self, instance_ids: list[str]) -> Any:
        """A reboot reaches the machine."""
        rebooted = super().reboot_instances(instance_ids)
        for instance in rebooted:
            self.world.instances.reboot(instance)
        return rebooted

    def _reservation_of(self, client_token: str | None) -> Any:
        """moto takes the token and runs a second instance; see "Ensuring idempotency in EC2 API requests"."""
        if client_token in (None, NO_CLIENT_TOKEN):
            return None
        for reservation in self.reservations.values():
            if any(instance.client_token == client_token for instance in reservation.instances):
                return reservation
        return None

    def _authorized_keys(self, key_name: str | None) -> list[str]:
        if not key_name:
            return []
        return [pair.public_key.strip() for pair in self.describe_key_pairs([key_name])]

    def _automatic_addresses(self, instance: Any) -> set[str]:
        """Public addresses that EC2 gave by itself and takes back when the instance stops."""
        elastic = {address.public_ip for address in self.addresses}
        return {nic.public_ip for nic in instance.nics.values() if nic.public_ip} - elastic

    def _take_own_interfaces(self, instance: Any) -> list[Any]:
        """The interfaces that die with the instance. moto would delete them while it is still shutting down."""
        own = [nic for nic in instance.nics.values() if nic.delete_on_termination]
        for nic in own:
            nic.delete_on_termination = False
        return own

    def _releasing(self, addresses: set[str]) -> Callable[[], None]:
        def release() -> None:
            for address in addresses:
                self.world.addresses.release(address)

        return release

    def _clearing(self, instance: Any, own: list[Any], addresses: set[str]) -> Callable[[], None]:
        def clear() -> None:
            for nic in instance.nics.values():
                _detach(nic)
            for nic in own:
                self.delete_network_interface(nic.id)
            self._releasing(addresses)()

        return clear

    # Network interfaces and addresses

    def create_network_interface(self, subnet: Any, private_ip_address: Any, *args: Any, **kwargs: Any) -> Any:
        """A private address that is free in the subnet; moto draws one at random, network and broadcast address included."""
        place = self.get_subnet(subnet) if isinstance(subnet, str) else subnet
        listed = kwargs.get("private_ip_addresses") or (args[0] if args else None)
        chosen = private_ip_address or (None if listed else place.get_available_subnet_ip(instance=None))
        return super().create_network_interface(place, chosen, *args, **kwargs)

    def delete_network_interface(self, eni_id: str) -> None:
        """An attached interface is refused; a deleted one leaves its elastic address and its private one free."""
        eni = self.get_network_interface(eni_id)
        self._refuse_in_use(eni)
        for address in [address for address in self.addresses if address.eni is eni]:
            self.disassociate_address(address=address.public_ip)
        super().delete_network_interface(eni_id)
        for private in eni.private_ip_addresses:
            eni.subnet.del_subnet_ip(private["PrivateIpAddress"])

    def attach_network_interface(self, eni_id: str, instance_id: str, device_index: int) -> Any:
        """An attached interface is refused; the machine answers on what a new one brings."""
        self._refuse_in_use(self.get_network_interface(eni_id))
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
        """The machine answers on the address at once; a VPC without internet gateway has no public side (Gateway.NotAttached)."""
        target = eni or instance.nics[0]
        if not self._gateways_of(target.subnet.vpc_id):
            raise EC2ClientError(
                "Gateway.NotAttached", f"Network {target.subnet.vpc_id} is not attached to any internet gateway"
            )
        previous = next((a.eni for a in self._addresses_named(kwargs) if a.eni is not None), None)
        automatic = self._automatic_addresses(target.instance) if target.instance else set()
        address = super().associate_address(instance, eni, *args, **kwargs)
        if previous is not None and previous is not target:
            previous.public_ip = None
            self._readdress(previous)
        self._readdress(target)
        self._releasing(automatic - {nic.public_ip for nic in (target,) if nic.public_ip})() if automatic else None
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

    def _refuse_in_use(self, eni: Any) -> None:
        if eni.instance is not None or eni.status == "in-use":
            raise EC2ClientError("InvalidNetworkInterface.InUse", f"Interface: [{eni.id}] in use.")

    # Networks: nothing goes while something depends on it

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
        if groups or self._gateways_of(vpc_id):
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

    def _gateways_of(self, vpc_id: str) -> list[Any]:
        return [gateway for gateway in self.internet_gateways.values() if gateway.vpc and gateway.vpc.id == vpc_id]

    def _is_worn(self, group: Any) -> bool:
        return any(group.id == worn.id for eni in self.enis.values() for worn in eni.group_set)

    def _is_named_in_rules(self, group: Any) -> bool:
        others = (other for other in self.groups[group.vpc_id].values() if other.id != group.id)
        rules = (rule for other in others for rule in [*other.ingress_rules, *other.egress_rules])
        return any(source.get("GroupId") == group.id for rule in rules for source in rule.source_groups)

    # NAT gateways

    def create_nat_gateway(
        self, subnet_id: str, allocation_id: str | None, tags: Any = None, connectivity_type: str | None = None
    ) -> Any:
        """`pending` first; a public one needs an elastic address (MissingParameter). CreateNatGateway, ConnectivityType."""
        kind = connectivity_type or "public"
        if kind == "public" and not allocation_id:
            raise EC2ClientError("MissingParameter", "The request must include the AllocationId parameter.")
        gateway = super().create_nat_gateway(subnet_id, allocation_id, tags, kind)
        gateway._eni.status = "in-use"
        gateway.state = "pending"
        self.world.instances.later(lambda: _turn(gateway, "pending", "available"))
        return gateway

    def delete_nat_gateway(self, nat_gateway_id: str) -> Any:
        """`deleting` first, and its interface goes with it; in moto that interface keeps the subnet for ever."""
        gateway = self.nat_gateways.get(nat_gateway_id)
        if gateway is None or gateway.state == "deleted":
            raise EC2ClientError("NatGatewayNotFound", f"The Nat Gateway {nat_gateway_id} was not found")
        if gateway.state == "deleting":
            return gateway
        gateway.state = "deleting"
        self.world.instances.later(lambda: self._remove_nat_gateway(gateway))
        return gateway

    def _remove_nat_gateway(self, gateway: Any) -> None:
        gateway._eni.status = "available"
        self.delete_network_interface(gateway._eni.id)
        gateway.state = "deleted"


def _detach(nic: Any) -> None:
    """Free the interface; the instance keeps its own note of it, which moto needs to describe a terminated one."""
    nic.instance = nic.attachment_id = nic.attach_time = nic.device_index = None
    nic.status = "available"


def _dependencies(kind: str, identifier: str) -> Exception:
    error: Exception = DependencyViolationError(f"The {kind} '{identifier}' has dependencies and cannot be deleted.")
    return error


def _require(instance: Any, states: tuple[str, ...], what: str) -> None:
    if instance.state not in states:
        raise EC2ClientError(
            "IncorrectInstanceState",
            f"The instance '{instance.id}' is not in a state from which it can be {what}.",
        )


def _turn(gateway: Any, before: str, after: str) -> None:
    if gateway.state == before:
        gateway.state = after
