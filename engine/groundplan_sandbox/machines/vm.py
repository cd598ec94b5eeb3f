"""One virtual machine: its cell, its SSH server, its addresses and its records on disk.

All of it runs on the host's event loop; `host.py` gives callers of other threads the plain functions.
"""

import asyncio
import contextlib
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import msgspec

from groundplan_sandbox.cells.cell import Cell
from groundplan_sandbox.cells.confinement import Owner
from groundplan_sandbox.cells.inside.plan import Bind, CellPlan
from groundplan_sandbox.cells.view import CONTROL_SOCKET, cell_plan
from groundplan_sandbox.machines import layout
from groundplan_sandbox.machines.logins import Logins
from groundplan_sandbox.machines.publication import PortTakenError, Publications
from groundplan_sandbox.machines.services.household import Builders, Running
from groundplan_sandbox.machines.services.room import Services
from groundplan_sandbox.machines.sftp import FileSpace
from groundplan_sandbox.machines.ssh import SecureShell
from groundplan_sandbox.postgres.programs import PostgresPrograms


class MachineRecord(msgspec.Struct, kw_only=True):
    """What is kept of a machine in `machine.json`, so that it can be had again when the sandbox comes back."""

    name: str
    authorized_keys: list[str]
    user_names: list[str] | None
    addresses: list[str] = []
    running: bool = True
    services: list[Running] = []


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What all machines of a host share."""

    owner: Owner
    confined: bool
    programs: Path
    postgres: PostgresPrograms
    builders: Builders


class VirtualMachine:
    """Use on one event loop. Folders below `folder`: `root` (its `/`), `local` (its `/usr/local`)."""

    def __init__(self, folder: Path, record: MachineRecord, around: Surroundings) -> None:
        self.folder = folder
        self.record = record
        self._around = around
        self._cell: Cell | None = None
        self._host_key = _load_host_key(folder / "host_key")
        keys = (asyncssh.import_public_key(text).public_data for text in record.authorized_keys)
        self._keys = frozenset(keys)
        self._ssh = SecureShell(self, self._host_key)
        self._services: Services | None = None
        self._publications: Publications | None = None
        self._logins: Logins | None = None
        self._scratch: Path | None = None

    @property
    def cell(self) -> Cell:
        assert self._cell is not None, "the SSH server is up only while the cell is"
        return self._cell

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def owner(self) -> Owner:
        return self._around.owner

    @property
    def confined(self) -> bool:
        return self._around.confined

    @property
    def postgres(self) -> PostgresPrograms:
        return self._around.postgres

    @property
    def logins(self) -> Logins:
        assert self._logins is not None, "nobody logs in while the cell is down"
        return self._logins

    @property
    def running(self) -> bool:
        return self._cell is not None and self._cell.running

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(self.record.addresses)

    @property
    def authorized_keys(self) -> frozenset[bytes]:
        return self._keys

    @property
    def host_key(self) -> str:
        """The public host key as one line of OpenSSH's format, without a comment."""
        line: str = self._host_key.export_public_key("openssh").decode().strip()
        return " ".join(line.split()[:2])

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def admits(self, user: str) -> bool:
        """Whether this user name may log in with one of the keys."""
        return self.record.user_names is None or user in self.record.user_names

    async def start(self, *, resume: bool = False) -> None:
        """Start the cell and listen on every address. Raises CellError, OSError.

        Enabled units start; with `resume`, what ran when the machine was suspended.
        """
        if self.running:
            return
        try:
            await self._start(resume=resume)
        except BaseException:
            await self.suspend()
            raise
        self.record.running = True
        self._save()

    async def _start(self, *, resume: bool) -> None:
        if not self.root.exists():
            await asyncio.to_thread(self._make_files)
        self._cell = Cell(self._plan())
        await self._cell.start()
        self._logins = Logins(self._cell, prefix=self._prefix, path=self.path)
        self._publications = Publications(lambda: self.addresses, self._cell if self.confined else None)
        self._services = Services(self)
        await self._services.open()
        await self._boot(resume=resume)
        for address in self.addresses:
            await self._ssh.listen(address)

    async def suspend(self) -> None:
        """End every process and listener; the files stay, and the record says what ran."""
        await self._ssh.close()
        if self._services is not None:
            await self._services.close()
            self._services = None
        if self._cell is not None:
            await self._cell.stop()
            self._cell = None
        if self._scratch is not None:
            await asyncio.to_thread(shutil.rmtree, self._scratch)
            self._scratch = None

    async def stop(self) -> None:
        """Switch the machine off."""
        await self.suspend()
        self.record.running = False
        self.record.services = []
        self._save()

    async def terminate(self) -> None:
        """End everything and remove every file."""
        await self.suspend()
        await asyncio.to_thread(_remove_tree, self.folder)

    async def add_address(self, address: str) -> None:
        """Serve on one more address of the host. Nothing happens when it is served already."""
        if address in self.record.addresses:
            return
        if self.running:
            await self._listen(address)
        self.record.addresses.append(address)
        self._save()

    async def _listen(self, address: str) -> None:
        await self._ssh.listen(address)
        try:
            await self.publications.add_address(address)
        except PortTakenError:
            self._ssh.forget(address)
            await self.publications.remove_address(address)
            raise

    async def remove_address(self, address: str) -> None:
        """Serve on the address no more."""
        if address in self.record.addresses:
            self.record.addresses.remove(address)
            self._ssh.forget(address)
            if self.running:
                await self.publications.remove_address(address)
            self._save()

    def services_changed(self, running: list[Running]) -> None:
        """Keep the record of the servers that run; for the services alone."""
        self.record.services = running
        self._save()

    def ssh_port(self, address: str) -> int:
        return self._ssh.port(address)

    def files(self, user: str) -> FileSpace:
        """Where a file transfer of this user works."""
        return FileSpace(root=self.cell.root, home=self.logins.find(user).home, owner=self.owner)

    async def _boot(self, *, resume: bool) -> None:
        """Start what `systemctl enable` asked for, as a real machine does, or what ran before."""
        nothing = os.open(os.devnull, os.O_RDWR)
        try:
            argv, env = ["systemctl", "resume" if resume else "default"], {"PATH": self.path, "HOME": "/"}
            booting = await self.cell.spawn(argv, env=env, cwd="/", streams=(nothing, nothing, nothing))
        finally:
            os.close(nothing)
        await booting.wait()
        ran, self.record.services = self.record.services, []
        if resume:
            assert self._services is not None
            await self._services.resume(ran)

    @property
    def _prefix(self) -> str:
        return "" if self.confined else str(self.root)

    @property
    def builders(self) -> Builders:
        return self._around.builders

    @property
    def publications(self) -> Publications:
        assert self._publications is not None, "services publish only while the cell is up"
        return self._publications

    @property
    def path(self) -> str:
        """The PATH of the machine's processes, small programs first."""
        if self.confined:
            return f"{layout.PROGRAMS}:{layout.SYSTEM_PATH}"
        return f"{self._programs}:{self.root}/usr/local/bin:{layout.SYSTEM_PATH}"

    @property
    def _programs(self) -> Path:
        return self._around.programs if self.confined else self.folder / "programs"

    def _plan(self) -> CellPlan:
        binds = (
            Bind(source=str(self.folder / "local"), target="/usr/local", writable=True),
            Bind(source=str(self._programs), target=layout.PROGRAMS),
            Bind(source=str(layout.library_source() / "programs"), target=f"{layout.LIBRARY}/programs"),
            *self.postgres.binds,
        )
        return cell_plan(
            root=self.root,
            hostname=self.name,
            confined=self.confined,
            uid=self.owner.uid,
            gid=self.owner.gid,
            binds=binds,
            control_socket=self._socket(),
        )

    def _socket(self) -> str:
        """The control socket's path as the machine names it; unconfined, a short one: sockaddr_un holds 107 bytes."""
        if self.confined:
            return CONTROL_SOCKET
        self._scratch = self._scratch or Path(tempfile.mkdtemp(prefix="groundplan-"))
        socket = f"{self._scratch}/control"
        library = str(layout.library_source())
        layout.write_programs(self._programs, library=library, root=str(self.root), control=socket)
        return socket

    def _make_files(self) -> None:
        made = layout.write_skeleton(self.root, hostname=self.record.name)
        made += layout.write_local(self.folder / "local" if self.confined else self.root / "usr" / "local")
        for path in made:
            self._around.owner.own(path)

    def _save(self) -> None:
        text = msgspec.json.format(msgspec.json.encode(self.record), indent=2)
        _write_private(self.folder / "machine.json", text)


def load_record(folder: Path) -> MachineRecord:
    """The record of the machine in this folder. Raises OSError, msgspec.DecodeError."""
    return msgspec.json.decode((folder / "machine.json").read_bytes(), type=MachineRecord)


def _load_host_key(path: Path) -> asyncssh.SSHKey:
    with contextlib.suppress(FileNotFoundError):
        return asyncssh.read_private_key(path)
    key = asyncssh.generate_private_key("ssh-ed25519")
    _write_private(path, key.export_private_key("openssh"))
    return key


def _write_private(path: Path, text: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(text)
    temporary.replace(path)


def _remove_tree(folder: Path) -> None:
    """Remove a folder whose files a script may have made unreadable."""
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            path = os.path.join(parent, name)
            if not os.path.islink(path):
                os.chmod(path, stat.S_IRWXU)
    shutil.rmtree(folder)
