"""What the corrected EC2 stands on, and the class all corrections share."""

from dataclasses import dataclass

from moto.ec2.models import EC2Backend

from groundplan_sandbox.aws.addresses import AddressPool
from groundplan_sandbox.aws.lifecycle import Instances


@dataclass(frozen=True, kw_only=True)
class World:
    """Machines, addresses and the key pair `keypair_name` of all regions. `public_key`: OpenSSH's one-line form."""

    instances: Instances
    addresses: AddressPool
    keypair_name: str
    public_key: str


class WorldBackend(EC2Backend):  # type: ignore[misc]  # moto's classes are untyped to us
    """moto's EC2 of one region, in a world. moto makes backends itself, so the world is the class's."""

    world: World

    def release_public(self, addresses: set[str]) -> None:
        """Give addresses back to the pool once nobody answers on them."""
        for address in addresses:
            self.world.addresses.release(address)
