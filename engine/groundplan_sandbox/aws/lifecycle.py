"""From emulated instance to running machine: each EC2 instance has one, on every public address of its interfaces.

moto changes an instance's state in an instant. Here a change takes as long as the machine takes (and `delay` more),
in the order pending, running, stopping, stopped, shutting-down, terminated. It decides when; `machines` knows how a
machine is made.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from moto.ec2.models.instances import InstanceState, StateReason

from groundplan_sandbox.aws.transitions import Transitions

log = logging.getLogger(__name__)

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
"""State codes of the EC2 API reference, InstanceState."""

MotoInstance = Any
"""`moto.ec2.models.instances.Instance`; moto ships no types we can rely on."""


class Machine(Protocol):
    """A running SSH host. Its methods block until done."""

    @property
    def host_key(self) -> str:
        """The public host key: OpenSSH's one-line form."""

    def add_address(self, address: str) -> None: ...
    def remove_address(self, address: str) -> None: ...
    def ssh_port(self, address: str) -> int: ...
    def stop(self) -> None: ...
    def start(self) -> None: ...
    def terminate(self) -> None: ...


class Machines(Protocol):
    """Whoever makes machines."""

    def launch(self, name: str, authorized_keys: Sequence[str]) -> Machine: ...


@dataclass(frozen=True, kw_only=True)
class SshHost:
    """Where SSH answers for an address, and with which key."""

    port: int
    host_key: str


@dataclass(kw_only=True)
class _Record:
    """An instance and its machine. `turn` is held while one of them changes."""

    instance: MotoInstance
    authorized_keys: tuple[str, ...]
    failed: Callable[[], None]
    machine: Machine | None = None
    addresses: dict[str, SshHost] = field(default_factory=dict)
    turn: threading.Lock = field(default_factory=threading.Lock)


class Instances:
    """The instances of all regions.

    `delay`: seconds that each transition takes at least. `changed`: called after the SSH hosts changed.
    """

    def __init__(self, machines: Machines, *, delay: float, changed: Callable[[], None]) -> None:
        self._machines = machines
        self._changed = changed
        self._records: dict[str, _Record] = {}
        self.transitions = Transitions(delay)
        self.guard = self.transitions.guard

    def admit(self, instance: MotoInstance, authorized_keys: Sequence[str], failed: Callable[[], None]) -> None:
        """Take a new instance in and boot it. `failed` is called, with `guard` held, if its machine cannot be made."""
        self._records[instance.id] = _Record(instance=instance, authorized_keys=tuple(authorized_keys), failed=failed)
        self.boot(instance)

    def boot(self, instance: MotoInstance) -> None:
        """Bring a new or stopped instance to `running`. Returns at once; it is `pending` from here on."""
        self._enter(instance, "pending")
        self.transitions.schedule(self._run, self._records[instance.id], self._boot)

    def halt(self, instance: MotoInstance, then: Callable[[], None]) -> None:
        """Bring a running instance to `stopped`, then call `then`. Returns at once."""
        self._leave(instance, "stopping", "stopped", _stop, then)

    def destroy(self, instance: MotoInstance, then: Callable[[], None]) -> None:
        """Bring an instance to `terminated`; `then` is called before anybody sees that state. Returns at once."""
        self._leave(instance, "shutting-down", "terminated", _terminate, then)

    def reboot(self, instance: MotoInstance) -> None:
        """Stop and start its machine; the instance stays `running` meanwhile, as in EC2."""
        if record := self._records.get(instance.id):
            self.transitions.submit(self._run, record, self._reboot)

    def readdress(self, instance: MotoInstance) -> None:
        """Make a running instance's machine answer on the addresses its interfaces have now; blocks until it does."""
        record = self._records.get(instance.id)
        if record is None or instance.state != "running":
            return
        with record.turn:
            self._readdress(record)

    def hosts(self) -> dict[str, SshHost]:
        """SSH hosts by address."""
        return {
            address: host
            for record in list(self._records.values())
            for address, host in sorted(record.addresses.items())
        }

    def listing(self) -> list[dict[str, Any]]:
        """Instances that are not terminated, as JSON: id, state, addresses."""
        return [
            {"id": record.instance.id, "state": record.instance.state, "addresses": sorted(record.addresses)}
            for record in list(self._records.values())
        ]

    def forget_all(self) -> Callable[[], None]:
        """Drop every instance now; the function returned terminates their machines, and wants `guard` free."""
        with self.guard:
            records = list(self._records.values())
            self._records.clear()
            for record in records:
                self._enter(record.instance, "terminated")

        def terminate() -> None:
            self.transitions.each(self._discard, records)
            self._changed()

        return terminate

    def close(self) -> None:
        """Terminate every machine and take no more orders."""
        self.transitions.close()
        self.forget_all()()
        self.transitions.join()

    def _enter(self, instance: MotoInstance, state: str) -> None:
        with self.guard:
            instance._state = InstanceState(state, CODES[state])

    def _advance(self, instance: MotoInstance, before: str, after: str) -> bool:
        """Change the state if nobody else did meanwhile."""
        with self.guard:
            if instance.state != before:
                return False
            instance._state = InstanceState(after, CODES[after])
            return True

    def _run(self, record: _Record, job: Callable[[_Record], None]) -> None:
        try:
            with record.turn:
                job(record)
        except Exception:
            log.exception("instance %s", record.instance.id)

    def _boot(self, record: _Record) -> None:
        instance = record.instance
        if instance.state != "pending":
            return
        try:
            self._start(record)
            self._readdress(record)
        except Exception as error:
            log.exception("the machine of %s does not start", instance.id)
            self.transitions.submit(self._give_up, record, error)
            return
        if self._advance(instance, "pending", "running"):
            # An address associated between the two had no running instance to be put on.
            self._readdress(record)

    def _give_up(self, record: _Record, error: Exception) -> None:
        """EC2 ends an instance that never ran, and leaves one that ran before stopped."""
        instance = record.instance
        with self.guard:
            if instance.state != "pending":
                return
            if record.machine is None:
                record.failed()
            else:
                self._enter(instance, "stopped")
            instance.state_reason = StateReason(f"Server.InternalError: {error}", "Server.InternalError")

    def _start(self, record: _Record) -> None:
        if record.machine is None:
            record.machine = self._machines.launch(record.instance.id, record.authorized_keys)
        else:
            record.machine.start()

    def _reboot(self, record: _Record) -> None:
        if record.machine is None or record.instance.state != "running":
            return
        self._unmap(record, set(record.addresses))
        record.machine.stop()
        record.machine.start()
        self._readdress(record)

    def _leave(
        self,
        instance: MotoInstance,
        through: str,
        to: str,
        act: Callable[[Machine], None],
        then: Callable[[], None],
    ) -> None:
        record = self._records[instance.id]
        self._enter(instance, through)

        def job(record: _Record) -> None:
            if instance.state != through:
                return
            self._unmap(record, set(record.addresses))
            if record.machine is not None:
                act(record.machine)
            self.transitions.submit(self._arrive, record, through, to, then)

        self.transitions.schedule(self._run, record, job)

    def _arrive(self, record: _Record, through: str, to: str, then: Callable[[], None]) -> None:
        # Not within the turn: a request that holds the guard may be waiting for it.
        with self.guard:
            if record.instance.state != through:
                return
            then()
            if to == "terminated":
                self._records.pop(record.instance.id, None)
            self._enter(record.instance, to)

    def _readdress(self, record: _Record) -> None:
        wanted = {nic.public_ip for nic in record.instance.nics.values() if nic.public_ip}
        self._unmap(record, set(record.addresses) - wanted)
        if (machine := record.machine) is None:
            return
        for address in sorted(wanted - set(record.addresses)):
            machine.add_address(address)
            record.addresses[address] = SshHost(port=machine.ssh_port(address), host_key=machine.host_key)
            self._changed()

    def _unmap(self, record: _Record, addresses: set[str]) -> None:
        for address in sorted(addresses):
            if record.machine is not None:
                record.machine.remove_address(address)
            del record.addresses[address]
        if addresses:
            self._changed()

    def _discard(self, record: _Record) -> None:
        def job(record: _Record) -> None:
            record.addresses.clear()
            if record.machine is not None:
                record.machine.terminate()

        self._run(record, job)


def _stop(machine: Machine) -> None:
    machine.stop()


def _terminate(machine: Machine) -> None:
    machine.terminate()
