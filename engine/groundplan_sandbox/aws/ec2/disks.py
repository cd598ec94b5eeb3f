"""Disks of new instances: what a mapping of the image's own root disk does not say, the image says.

moto asks every mapping for a size, and makes half an instance of a launch template or configuration that names none.
"""

from collections.abc import Callable, Sequence
from typing import Any

from moto.ec2.exceptions import MissingParameterError
from moto.ec2.responses.instances import InstanceResponse

Mapping = dict[str, Any]
_SIZES = ("VolumeSize", "SnapshotId")


def install() -> None:
    """Leave it to `completed` to ask for sizes: only there the image is known."""
    validate = InstanceResponse._validate_block_device_mapping
    if validate.__module__ != __name__:
        InstanceResponse._validate_block_device_mapping = staticmethod(_but_sizes(validate))


def _but_sizes(validate: Callable[[Mapping], None]) -> Callable[[Mapping], None]:
    def check(mapping: Mapping) -> None:
        disk = mapping.get("Ebs")
        validate(mapping if disk is None else {**mapping, "Ebs": {"VolumeSize": "1"} | disk})

    return check


def completed(mappings: Sequence[Mapping], image: Any) -> list[Mapping]:
    """Return mappings in which the root disk of an image of moto has a size.

    Raises:
        MissingParameterError: another disk has none.
    """
    return [_completed(mapping, image) for mapping in mappings]


def _completed(mapping: Mapping, image: Any) -> Mapping:
    disk = mapping.get("Ebs")
    if mapping.get("NoDevice") is not None or disk is None or any(disk.get(name) for name in _SIZES):
        return mapping
    if mapping.get("DeviceName") != image.root_device_name:
        raise MissingParameterError("size or snapshotId")
    return {**mapping, "Ebs": {**disk, "SnapshotId": image.ebs_snapshot.id}}
