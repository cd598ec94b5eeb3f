"""Instances: they take their time, have a machine each, and leave nothing behind when they end.

`lifecycle` says when a state is reached; this says what may be asked in which state, and what ends with an instance.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from moto.ec2.exceptions import EC2ClientError

from groundplan_sandbox.aws.ec2.disks import completed
from groundplan_sandbox.aws.ec2.interfaces import InterfaceCorrections, refuse_in_use

_ID = re.compile(r"i-([0-9a-f]{8}|[0-9a-f]{17})")
NO_CLIENT_TOKEN = "ABCDE"  # noqa: S105 - what moto puts where the caller gave no ClientToken


class InstanceCorrections(InterfaceCorrections):
    """Run, start, stop, terminate, reboot."""

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
            refuse_in_use(self.get_network_interface(eni_id))
        if disks := self._disks(image_id, kwargs):
            kwargs["block_device_mappings"] = disks
        kept = {int(nic["DeviceIndex"]) for nic in kwargs.get("nics", []) if nic.get("DeleteOnTermination") is False}
        reservation = super().run_instances(image_id, count, *args, **kwargs)
        for instance in reservation.instances:
            for index, nic in instance.nics.items():
                nic.delete_on_termination = nic.id not in given and index not in kept
            end = partial(self.terminate_instances, [instance.id])
            self.world.instances.admit(instance, self._authorized_keys(instance.key_name), failed=end)
        return reservation

    def _disks(self, image_id: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
        """The mappings of a request, of its template or of its configuration, with all sizes."""
        mappings, template = asked.get("block_device_mappings"), asked.get("launch_template")
        if template:
            version = self._get_template_from_args(template)
            image_id = image_id or version.image_id
            mappings = mappings or version.data.get("BlockDeviceMappings")
        elif configuration := asked.get("launch_config"):
            mappings = mappings or configuration.block_device_mapping_dict
        return completed(mappings, self.describe_images(ami_ids=[image_id])[0]) if mappings else []

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
        freed = {instance.id: self.automatic_addresses(instance.nics.values()) for instance in running}
        before = super().stop_instances([instance.id for instance in running])
        for instance in running:
            self.world.instances.halt(instance, partial(self.release_public, freed[instance.id]))
        return before

    def terminate_instances(self, instance_ids: list[str]) -> Any:
        """Terminating takes time, and then the interfaces are free again.

        In moto they stay `in-use` for ever with an attachment that cannot be detached, so that nothing around the
        instance can be deleted.
        """
        alive = [
            i for i in self.get_multi_instances_by_id(instance_ids) if i.state not in ("shutting-down", "terminated")
        ]
        if instance_ids and not alive:
            return [(instance, instance._state) for instance in self.get_multi_instances_by_id(instance_ids)]
        own = {instance.id: self._take_own_interfaces(instance) for instance in alive}
        freed = {instance.id: self.automatic_addresses(instance.nics.values()) for instance in alive}
        before = super().terminate_instances([instance.id for instance in alive])
        for instance in alive:
            self.world.instances.destroy(instance, self._clearing(instance, own[instance.id], freed[instance.id]))
        return before

    def get_multi_instances_by_id(self, instance_ids: list[str], filters: Any = None) -> Any:
        """An id that cannot be one is Malformed, and not merely not found."""
        _require_ids(instance_ids)
        return super().get_multi_instances_by_id(instance_ids, filters)

    def get_reservations_by_instance_ids(self, instance_ids: list[str], filters: Any = None) -> Any:
        """As `get_multi_instances_by_id`: what DescribeInstances asks."""
        _require_ids(instance_ids)
        return super().get_reservations_by_instance_ids(instance_ids, filters)

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

    def _take_own_interfaces(self, instance: Any) -> list[Any]:
        """The interfaces that die with the instance. moto would delete them while it is still shutting down."""
        own = [nic for nic in instance.nics.values() if nic.delete_on_termination]
        for nic in own:
            nic.delete_on_termination = False
        return own

    def _clearing(self, instance: Any, own: list[Any], addresses: set[str]) -> Callable[[], None]:
        def clear() -> None:
            for nic in instance.nics.values():
                _detach(nic)
            for nic in own:
                self.delete_network_interface(nic.id)
            self.release_public(addresses)

        return clear


def _detach(nic: Any) -> None:
    """Free the interface; the instance keeps its own note of it, which moto needs to describe a terminated one."""
    nic.instance = nic.attachment_id = nic.attach_time = nic.device_index = None
    nic.status = "available"


def _require_ids(instance_ids: list[str]) -> None:
    for wrong in (each for each in instance_ids or [] if not _ID.fullmatch(each)):
        raise EC2ClientError("InvalidInstanceID.Malformed", f'Invalid id: "{wrong}"')


def _require(instance: Any, states: tuple[str, ...], what: str) -> None:
    if instance.state not in states:
        raise EC2ClientError(
            "IncorrectInstanceState",
            f"The instance '{instance.id}' is not in a state from which it can be {what}.",
        )
