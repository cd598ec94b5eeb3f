"""One virtual machine: its cell, its SSH server, its addresses and its records on disk.

All of it runs on the host's event loop; `host.py` gives callers of other threads the plain functions.
"""

import asyncio
import contextlib
import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import msgspec

from groundplan_sandbox.machines import layout
from groundplan_sandbox.machines.cell import Cell
from groundplan_sandbox.machines.confinement import Owner
from groundplan_sandbox.machines.inside.plan import Bind, CellPlan
from groundplan_sandbox.machines.inside.syscalls import open_in_root
from groundplan_sandbox.machines.sftp import FileSpace
from groundplan_sandbox.machines.ssh import SecureShell


class MachineRecord(msgspec.Struct, kw_only=True):
    """What is kept of a machine in `machine.json`, so that it can be had again when the sandbox comes back."""

    name: str
    authorized_keys: list[str]
    user_names: list[str] | None
    addresses: list[str] = []
    running: bool = True


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What all machines of a host share."""

    owner: Owner
    confined: bool
    programs: Path
    binds: tuple[Bind, ...] = ()


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

    @property
    def cell(self) -> Cell:
        assert self._cell is not None, "the SSH server is up only while the cell is"
        return self._cell

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

    async def start(self) -> None:
        """Start the cell and listen on every address. Raises CellError, OSError."""
        if not self.root.exists():
            await asyncio.to_thread(self._make_files)
        self._cell = Cell(self._plan())
        await self._cell.start()
        for address in self.addresses:
            await self._ssh.listen(address)
        self.record.running = True
        self._save()

    async def suspend(self) -> None:
        """End every process and listener; the files and the record stay as they are."""
        await self._ssh.close()
        if self._cell is not None:
            await self._cell.stop()
            self._cell = None

    async def stop(self) -> None:
        """Switch the machine off."""
        await self.suspend()
        self.record.running = False
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
            await self._ssh.listen(address)
        self.record.addresses.append(address)
        self._save()

    async def remove_address(self, address: str) -> None:
        """Serve on the address no more."""
        if address in self.record.addresses:
            self.record.addresses.remove(address)
            self._ssh.forget(address)
            self._save()

    def ssh_port(self, address: str) -> int:
        return self._ssh.port(address)

    def login(self, user: str) -> tuple[str, Mapping[str, str]]:
        """The home folder and the environment of a login; a user name that is new gets an account, as by cloud-init."""
        home = f"{self._prefix}/root" if user == "root" else f"{self._prefix}/home/{user}"
        self._ensure_account(user)
        bin_folder = layout.PROGRAMS if self._around.confined else str(self._around.programs)
        own_local = "" if self._around.confined else f"{self.folder}/local/bin:"
        path = f"{bin_folder}:{own_local}{layout.SYSTEM_PATH}"
        env = {"PATH": path, "HOME": home, "USER": user, "LOGNAME": user, "SHELL": _shell(), "LANG": "C.UTF-8"}
        return home, env

    def files(self, user: str) -> FileSpace:
        """Where a file transfer of this user works."""
        home, _ = self.login(user)
        return FileSpace(root=self.cell.root, home=home, owner=self._around.owner)

    @property
    def _prefix(self) -> str:
        return "" if self._around.confined else str(self.root)

    def _ensure_account(self, user: str) -> None:
        # Through `open_in_root`: the machine's scripts own its /etc and may have put a link there.
        passwd = f"{self._prefix}/etc/passwd".encode()
        with os.fdopen(open_in_root(self.cell.root, passwd, os.O_RDWR | os.O_NONBLOCK), "r+") as accounts:
            if any(line.split(":")[0] == user for line in accounts):
                return
            accounts.write(f"{user}:x:0:0::/home/{user}:{_shell()}\n")
        homes = open_in_root(self.cell.root, f"{self._prefix}/home".encode(), os.O_RDONLY | os.O_DIRECTORY)
        with contextlib.suppress(FileExistsError):
            os.mkdir(user, 0o755, dir_fd=homes)
            self._around.owner.own_entry(homes, user)
        os.close(homes)

    def _plan(self) -> CellPlan:
        binds = (
            Bind(source=str(self.folder / "local"), target="/usr/local", writable=True),
            Bind(source=str(self._around.programs), target=layout.PROGRAMS),
            Bind(source=str(layout.library_source() / "programs"), target=f"{layout.LIBRARY}/programs"),
            *self._around.binds,
        )
        return layout.cell_plan(
            root=self.root,
            hostname=self.record.name,
            confined=self._around.confined,
            uid=self._around.owner.uid,
            gid=self._around.owner.gid,
            binds=binds,
        )

    def _make_files(self) -> None:
        made = layout.write_skeleton(self.root, hostname=self.record.name)
        made += layout.write_local(self.folder / "local")
        for path in made:
            self._around.owner.own(path)

    def _save(self) -> None:
        text = msgspec.json.format(msgspec.json.encode(self.record), indent=2)
        _write_private(self.folder / "machine.json", text)


def load_record(folder: Path) -> MachineRecord:
    """The record of the machine in this folder. Raises OSError, msgspec.DecodeError."""
    return msgspec.json.decode((folder / "machine.json").read_bytes(), type=MachineRecord)


def _shell() -> str:
    return "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"


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
