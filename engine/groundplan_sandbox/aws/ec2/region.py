"""A region of the emulated EC2 with all corrections, and what exists in it before anybody creates anything."""

from collections.abc import Callable
from typing import Any

from moto import settings
from moto.ec2 import urls
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends, elastic_ip_addresses, elastic_network_interfaces
from moto.ec2.models.amis import Ami
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend, Zone

from groundplan_sandbox.aws.addresses import AddressPool, NoAddressError
from groundplan_sandbox.aws.catalogue import EXTRA_ZONES, IMAGES
from groundplan_sandbox.aws.ec2 import disks, spot
from groundplan_sandbox.aws.ec2.instances import InstanceCorrections
from groundplan_sandbox.aws.ec2.nat import NatCorrections
from groundplan_sandbox.aws.ec2.world import World


def install(world: World) -> None:
    """Make every EC2 region of this process one of `world`. moto's state is per process, and so is this."""
    ec2_backends.backend = type("SandboxEC2", (Region,), {"world": world})
    # Read at each RunInstances: without them moto runs instances of images and keys that do not exist.
    settings.ENABLE_AMI_VALIDATION = True
    settings.ENABLE_KEYPAIR_VALIDATION = True
    # moto makes up addresses that no socket could be bound to, or that another program holds.
    elastic_ip_addresses.random_ip = elastic_network_interfaces.random_public_ip = _address_source(world.addresses)
    disks.install()
    spot.install()
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


class Region(InstanceCorrections, NatCorrections, spot.SpotCorrections):
    """EC2 of one region."""

    def __init__(self, region_name: str, account_id: str) -> None:
        """Adds what a blueprint expects of an account: its key pair, and a default VPC that reaches the internet."""
        super().__init__(region_name, account_id)
        self.import_key_pair(self.world.keypair_name, self.world.public_key.encode(), {})
        self.attach_internet_gateway(self.create_internet_gateway().id, self.default_vpc.id)

    def delete_transit_gateway_route(
        self, transit_gateway_route_table_id: str, destination_cidr_block: str
    ) -> dict[str, str | None]:
        """Refuses what is not there in EC2's words; moto fails."""
        table = self.transit_gateways_route_tables.get(transit_gateway_route_table_id)
        if table is None or destination_cidr_block not in table.routes:
            message = f"no route with destination-cidr-block {destination_cidr_block}"
            raise EC2ClientError("InvalidRoute.NotFound", message)
        gone: dict[str, str | None] = super().delete_transit_gateway_route(
            transit_gateway_route_table_id, destination_cidr_block
        )
        return gone

    @property
    def _url_module(self) -> Any:
        """moto finds a backend's URLs by the name of its module, which a subclass elsewhere would hide."""
        return urls

    def _load_amis(self) -> None:
        """The images that blueprints name. moto's own list has none of them and costs each region half a second."""
        for image in IMAGES:
            self.amis[image.ami_id] = Ami(
                self,
                ami_id=image.ami_id,
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
