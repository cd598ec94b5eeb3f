"""One flat folder of files, written atomically and entered through its descriptor.

What runs on an emulated VM can write to the data folder of the server it started, while the server itself lives
outside the VM's confinement. So nothing here follows a link or opens anything but a regular file, and no name holds a
separator. Replacing a file survives the death of the process, not a power cut: nothing is synced.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

NAME = re.compile(r"[0-9a-z][0-9a-z.-]*")
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
FRESH = "new-"
"""Prefix of files not yet committed; left-overs of a dead process are removed when the folder is opened."""


class Folder:
    """The files of one folder, held by its descriptor; OSError when one of them is a link or not regular."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        for name in self.names():
            if name.startswith(FRESH):
                self.remove(name)

    @classmethod
    def at(cls, path: Path) -> Folder:
        """A folder whose path is trusted; made if need be."""
        path.mkdir(parents=True, exist_ok=True)
        return cls(path, os.open(path, FOLDER))

    def inside(self, name: str) -> Folder:
        """A folder in this one, made if need be; OSError when there is a link or a file of that name."""
        with suppress(FileExistsError):
            os.mkdir(name, mode=0o700, dir_fd=self._descriptor)
        return Folder(self.path / name, os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=self._descriptor))

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def names(self) -> list[str]:
        return os.listdir(self._descriptor)

    def open(self, name: str) -> BinaryIO:
        # O_NONBLOCK: opening a FIFO that somebody put here must not hang.
        descriptor = self._open(name, os.O_RDONLY | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(f"{self.path / name} is not a regular file")
        return os.fdopen(descriptor, "rb")

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            return file.read()

    def create(self) -> tuple[str, BinaryIO]:
        """A new empty file under a fresh name, to be kept by `keep` or removed."""
        name = FRESH + secrets.token_hex(16)
        return name, os.fdopen(self._open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb")

    def claim(self, name: str) -> int:
        """A descriptor of a file made if need be, to lock."""
        return self._open(name, os.O_WRONLY | os.O_CREAT)

    def keep(self, fresh: str, name: str) -> None:
        os.replace(fresh, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def write(self, name: str, content: bytes) -> None:
        fresh, file = self.create()
        with file:
            file.write(content)
        self.keep(fresh, name)

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._descriptor)

    def _open(self, name: str, flags: int) -> int:
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a file name of the store")
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._descriptor)
