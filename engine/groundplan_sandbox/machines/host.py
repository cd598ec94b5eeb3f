"""The door of this package: launches machines and gives plain functions for them to callers of any thread.

One thread of its own runs the event loop of all machines. It keeps no account of instances, images or addresses; the
emulated cloud (`groundplan_sandbox.aws`) says which machine has which address.
"""

import re
import shutil
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from groundplan_sandbox.cells.confinement import Confinement, ConfinementRefusedError, find_owner, find_refusal
from groundplan_sandbox.cells.loop import LoopThread
from groundplan_sandbox.cells.view import CONTROL_SOCKET
from groundplan_sandbox.kubernetes.cluster import KubernetesCluster
from groundplan_sandbox.kubernetes.door import MakeCluster
from groundplan_sandbox.machines import layout
from groundplan_sandbox.machines.builders import SandboxServers
from groundplan_sandbox.machines.vm import MachineRecord, Surroundings, VirtualMachine, load_record
from groundplan_sandbox.postgres.programs import find_programs

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}")
_T = TypeVar("_T")


class Machine:
    """A virtual machine. Every function returns when what it asks for is so."""

    def __init__(self, host: "MachineHost", vm: VirtualMachine) -> None:
        self._host = host
        self._vm = vm

    @property
    def name(self) -> str:
        return self._vm.record.name

    @property
    def host_key(self) -> str:
        """The public host key in OpenSSH's format: type and key."""
        return self._vm.host_key

    @property
    def addresses(self) -> tuple[str, ...]:
        return self._vm.addresses

    @property
    def running(self) -> bool:
        return self._vm.running

    def add_address(self, address: str) -> None:
        """Give the machine a loopback address: SSH and the services that run on it listen there too.

        Raises OSError when the address cannot be bound at all, PortTakenError when a service's port is taken there.
        """
        self._host.run(self._vm.add_address(address))

    def remove_address(self, address: str) -> None:
        """Take the address away; what listened there stops to."""
        self._host.run(self._vm.remove_address(address))

    def ssh_port(self, address: str) -> int:
        """The port of SSH on this address: 22, or a free one where 22 cannot be had. KeyError when it has none."""
        return self._vm.ssh_port(address)

    def stop(self) -> None:
        """Switch off: every process ends, the files stay."""
        self._host.run(self._vm.stop())

    def start(self) -> None:
        """Switch on again. Raises CellError."""
        self._host.run(self._vm.start())

    def terminate(self) -> None:
        """End every process, server and port of the machine and remove its files."""
        self._host.forget(self.name)
        self._host.run(self._vm.terminate())


class MachineHost:
    """All machines below one folder. `refusal` says why the kernel does not let it confine them, or is None."""

    def __init__(
        self,
        folder: Path,
        confinement: Confinement = Confinement.NAMESPACES,
        *,
        make_cluster: MakeCluster = KubernetesCluster,
    ) -> None:
        """make_cluster: makes what `minikube start` starts on a machine."""
        self._folder = folder.resolve()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._loop = LoopThread("machines")
        self._machines: dict[str, Machine] = {}
        confined = confinement is Confinement.NAMESPACES
        owner = find_owner()
        self.refusal = self.run(find_refusal(self._folder, owner)) if confined else None
        programs = self._folder / "programs"
        layout.write_programs(programs, library=layout.LIBRARY, root="", control=CONTROL_SOCKET)
        self._around = Surroundings(
            owner=owner,
            confined=confined,
            programs=programs,
            postgres=find_programs(),
            builders=SandboxServers(make_cluster),
        )

    @property
    def folder(self) -> Path:
        """Where everything of the machines lies."""
        return self._folder

    @property
    def machines(self) -> tuple[Machine, ...]:
        return tuple(self._machines.values())

    def launch(self, name: str, authorized_keys: Sequence[str], user_names: Sequence[str] | None = None) -> Machine:
        """Start a new machine. `authorized_keys` are lines of OpenSSH's format; without `user_names` every name may in.

        Raises ConfinementRefusedError, ValueError (name taken or unfit, key unreadable), CellError.
        """
        if self.refusal is not None:
            raise ConfinementRefusedError(self.refusal)
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a host name: {name!r}")
        folder = self._folder / "machines" / name
        if folder.exists():
            raise ValueError(f"there is a machine named {name!r}")
        names = None if user_names is None else list(user_names)
        record = MachineRecord(name=name, authorized_keys=list(authorized_keys), user_names=names)
        try:
            return self._adopt(folder, record)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def restore(self) -> tuple[Machine, ...]:
        """Bring back the machines that were here when the sandbox ended, those that ran running."""
        for file in sorted(self._folder.glob("machines/*/machine.json")):
            if file.parent.name not in self._machines:
                self._adopt(file.parent, load_record(file.parent))
        return self.machines

    def close(self) -> None:
        """End every machine's processes and listeners; their files stay for `restore`."""
        for machine in self.machines:
            self.run(machine._vm.suspend())
        self._machines.clear()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do something on the machines' event loop and wait for it."""
        return self._loop.run(work)

    def forget(self, name: str) -> None:
        """Drop a machine from the list; for `Machine.terminate`."""
        self._machines.pop(name, None)

    def _adopt(self, folder: Path, record: MachineRecord) -> Machine:
        machine = self.run(self._make(folder, record))
        self._machines[record.name] = machine
        return machine

    async def _make(self, folder: Path, record: MachineRecord) -> Machine:
        vm = VirtualMachine(folder, record, self._around)
        if record.running:
            await vm.start(resume=True)
        return Machine(self, vm)
