"""What exists in every account before anybody creates anything: machine images and availability zones.

moto knows neither the images that published blueprints name nor the third zone of us-west-1 that they ask for.
"""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, kw_only=True)
class Image:
    """A machine image. `owner_id`: the 12 digits of the publishing account."""

    ami_id: str
    name: str
    owner_id: str
    created: datetime = datetime(2021, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class ExtraZone:
    """An availability zone that moto's table lacks. AWS shows an account two or three of a region's zones."""

    region: str
    name: str
    zone_id: str


IMAGES = (
    Image(ami_id="ami-08d2d8b00f270d03b", name="CentOS 7.9.2009 x86_64", owner_id="125523088429"),
    Image(ami_id="ami-0cfea11000000000c", name="CentOS7-cloudify-examples-image", owner_id="263721492972"),
    Image(ami_id="ami-0a11ce00000000009", name="CentOS Stream 9 x86_64 20240101", owner_id="125523088429"),
    Image(
        ami_id="ami-0b0b000000002204a",
        name="ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20240101",
        owner_id="099720109477",
    ),
)

EXTRA_ZONES = (ExtraZone(region="us-west-1", name="us-west-1c", zone_id="usw1-az2"),)
