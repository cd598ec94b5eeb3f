"""A PostgreSQL server without a machine, as a managed database service gives one: real, confined, on given addresses.

It has a cell of its own with nothing in it but the cluster. Who pays for it, and by which name it is found, is decided
by the emulated cloud that asks for it.
"""

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from groundplan_sandbox.cells.cell import Cell, CellError
from groundplan_sandbox.cells.confinement import find_owner
from groundplan_sandbox.cells.loop import LoopThread
from groundplan_sandbox.cells.relay import Relay, in_cell
from groundplan_sandbox.cells.view import CONTROL_SOCKET, cell_plan
from groundplan_sandbox.postgres.cluster import POSTGRES_USER_ID, PostgresCluster, place_alone
from groundplan_sandbox.postgres.programs import find_programs

_ETC = {
    "passwd": f"root:x:0:0:root:/:/bin/sh\npostgres:x:{POSTGRES_USER_ID}:{POSTGRES_USER_ID}::/var/lib/pgsql:/bin/sh\n",
    "group": f"root:x:0:\npostgres:x:{POSTGRES_USER_ID}:\n",
    "hosts": "127.0.0.1 localhost\n",
}
_FOLDERS = ("etc", "run", "tmp", "usr", "var/lib/pgsql")
_VERSION_FILE = "var/lib/pgsql/data/PG_VERSION"
_PASSWORD_FILE = "tmp/password"  # noqa: S105 - a path


class PostgresServer:
    """A cluster in `folder` with the superuser `superuser`; made at the first start, kept from then on.

    `database`: one made beside `postgres` at the first start.

    Not `confined`: for a kernel that refuses namespaces; what a superuser runs then runs on this computer.
    Every function may be called from any thread and returns when what it asks for is so.
    """

    def __init__(
        self,
        folder: Path,
        addresses: Sequence[str],
        *,
        superuser: str,
        password: str,
        database: str | None = None,
        port: int = 5432,
        confined: bool = True,
    ) -> None:
        self._folder = folder.resolve()
        self._addresses = tuple(addresses)
        self._superuser = superuser
        self._password = password
        self._database = database
        self._port = port
        self._confined = confined
        self._owner = find_owner()
        self._loop: LoopThread | None = None
        self._cell: Cell | None = None
        self._cluster: PostgresCluster | None = None
        self._relay: Relay | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        return self._addresses

    @property
    def running(self) -> bool:
        return self._cluster is not None and self._cluster.running

    def start(self) -> None:
        """Serve on every address. Raises CellError, PostgresError, PostgresMissingError, OSError (port taken)."""
        if self.running:
            return
        self._loop = LoopThread("postgresql")
        try:
            self._loop.run(self._start())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Shut down; the data stays."""
        if self._loop is not None:
            self._loop.run(self._stop())
            self._loop.close()
            self._loop = None

    def set_password(self, password: str) -> None:
        """Give the superuser another password; the server restarts, its clients lose their connections.

        Raises PostgresError, and ValueError for a line break.
        """
        assert self._loop is not None
        self._loop.run(self._set_password(password))

    def delete(self) -> None:
        """Shut down and remove the data."""
        self.stop()
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._folder)

    async def _start(self) -> None:
        programs = find_programs()
        root = self._folder / "root"
        is_new = not (root / _VERSION_FILE).exists()
        if is_new:
            self._make_files(root)
        owner = self._owner
        plan = cell_plan(
            root=root,
            hostname="postgresql",
            confined=self._confined,
            uid=owner.uid,
            gid=owner.gid,
            binds=programs.binds,
            control_socket=CONTROL_SOCKET if self._confined else "",
        )
        self._cell = Cell(plan)
        await self._cell.start()
        place = place_alone(programs, root=root, confined=self._confined, owner=owner)
        self._cluster = PostgresCluster(self._cell, place, owner)
        if is_new:
            await self._initialize(root)
        await self._cluster.start()
        self._relay = Relay(in_cell(self._cell, self._cluster.port))
        for address in self._addresses:
            await self._relay.listen(address, self._port)

    async def _set_password(self, password: str) -> None:
        assert self._cluster is not None
        await self._cluster.stop()
        try:
            await self._cluster.run_alone(f"ALTER ROLE {_name(self._superuser)} PASSWORD {_text(password)}")
            self._password = password
        finally:
            await self._cluster.start()

    async def _initialize(self, root: Path) -> None:
        assert self._cluster is not None
        password = root / _PASSWORD_FILE
        password.unlink(missing_ok=True)
        with open(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(f"{self._password}\n")
        self._owner.own(password)
        try:
            seen = f"/{_PASSWORD_FILE}" if self._confined else str(password)
            await self._cluster.initialize(["-U", self._superuser, "--pwfile", seen])
        finally:
            password.unlink()
        if self._database is not None and self._database != "postgres":
            await self._cluster.run_alone(f"CREATE DATABASE {_name(self._database)}")

    async def _stop(self) -> None:
        if self._relay is not None:
            await self._relay.close()
            self._relay = None
        if self._cluster is not None:
            with contextlib.suppress(CellError):
                await self._cluster.stop()
            self._cluster = None
        if self._cell is not None:
            await self._cell.stop()
            self._cell = None

    def _make_files(self, root: Path) -> None:
        for name in _FOLDERS:
            (root / name).mkdir(parents=True, exist_ok=True)
        for name, text in _ETC.items():
            (root / "etc" / name).write_text(text)
        for path in (root, *root.rglob("*")):
            self._owner.own(path)


def _name(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    """An SQL string, with standard_conforming_strings as it is by default."""
    return "'" + text.replace("'", "''") + "'"
