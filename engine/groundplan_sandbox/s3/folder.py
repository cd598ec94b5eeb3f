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
from pathlib import Path
from typing import BinaryIO

NAME = re.compile(r"[0-9a-z][0-9a-z.-]*")
FRESH = "new-"
"""Prefix of files not yet committed; left-overs of a dead process are removed when the folder is opened."""


class Folder:
    """Files below `path`; OSError when the path is a link or not a folder, or when a file is a link or not regular."""

    def __init__(self, path: Path) -> None:
        path.mkdir(mode=0o700, exist_ok=True)
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        for name in self.names():
            if name.startswith(FRESH):
                self.remove(name)

    def close(self) -> None:
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
        try:
            os.unlink(name, dir_fd=self._descriptor)
        except FileNotFoundError:
            return

    def _open(self, name: str, flags: int) -> int:
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a file name of the store")
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._descriptor)
