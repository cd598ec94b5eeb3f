"""Who logs in at a machine: the account in the machine's own passwd, made at the first login, and its environment.

The machine's scripts own that file, so it is read below the machine's root and believed for the machine alone.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from groundplan_sandbox.cells.cell import Cell, CellError
from groundplan_sandbox.cells.inside.syscalls import open_in_root

_PASSWD_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Login:
    """How a session starts. `uid`, `gid`: whom its processes see themselves as; None: as they come."""

    uid: int | None
    gid: int | None
    home: str
    shell: str
    env: Mapping[str, str]


class Logins:
    """The accounts of one running machine. `prefix` is the host's path of its files, empty when it is confined."""

    def __init__(self, cell: Cell, *, prefix: str, path: str) -> None:
        self._cell = cell
        self._prefix = prefix
        self._path = path

    async def admit(self, user: str) -> None:
        """Give a user name that is new an account, as a cloud's images do. Raises CellError for one that is no name."""
        if self._fields(user) is not None:
            return
        nothing = os.open(os.devnull, os.O_RDWR)
        try:
            streams = (nothing, nothing, nothing)
            adding = await self._cell.spawn(["adduser", user], env={"PATH": self._path}, cwd="/", streams=streams)
        finally:
            os.close(nothing)
        await adding.wait()
        self.find(user)

    def find(self, user: str) -> Login:
        """Raises CellError when the machine has no such user."""
        fields = self._fields(user)
        if fields is None:
            raise CellError(f"the machine has no user {user!r}")
        _, _, uid, gid, _, home, shell = fields
        home = self._prefix + home
        env = {"PATH": self._path, "HOME": home, "USER": user, "LOGNAME": user, "SHELL": shell, "LANG": "C.UTF-8"}
        confined = not self._prefix and uid != "0"
        return Login(
            uid=int(uid) if confined else None, gid=int(gid) if confined else None, home=home, shell=shell, env=env
        )

    def _fields(self, user: str) -> list[str] | None:
        descriptor = open_in_root(self._cell.root, f"{self._prefix}/etc/passwd".encode(), os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            lines = file.read(_PASSWD_BYTES).decode(errors="replace").splitlines()
        for line in lines:
            fields = line.split(":")
            if fields[0] == user and len(fields) == 7 and fields[2].isdigit() and fields[3].isdigit():
                return fields
        return None
