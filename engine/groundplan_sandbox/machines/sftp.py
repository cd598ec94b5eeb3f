"""The file transfer of a machine's SSH server: every path is opened below the machine's own root.

The machine's scripts may plant links; `open_in_root` keeps them inside, so that a transfer can neither read nor write a
file of the host. Special files are never waited for.
"""

import os
import posixpath
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncssh

from groundplan_sandbox.cells.confinement import Owner
from groundplan_sandbox.cells.inside.syscalls import open_in_root

_READ, _WRITE, _APPEND, _CREATE, _TRUNCATE, _EXCLUSIVE = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
_OPEN_FLAGS = {_APPEND: os.O_APPEND, _CREATE: os.O_CREAT, _TRUNCATE: os.O_TRUNC, _EXCLUSIVE: os.O_EXCL}
_FILE_MODE = 0o644
_FOLDER_MODE = 0o755


@dataclass(frozen=True, kw_only=True)
class FileSpace:
    """Where a transfer works: a descriptor of the machine's `/`, the folder of relative paths, the files' owner."""

    root: int
    home: str
    owner: Owner


class MachineFiles(asyncssh.SFTPServer):  # type: ignore[misc] # read as untyped, see pyproject.toml
    """SFTP versions 3 to 6, and SCP, below a machine's root."""

    def __init__(self, channel: Any, find_space: Callable[[str], FileSpace]) -> None:
        super().__init__(channel)
        self._space = find_space(channel.get_extra_info("username"))

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        flags = {0: os.O_RDONLY, _READ: os.O_RDONLY, _WRITE: os.O_WRONLY}.get(pflags & (_READ | _WRITE), os.O_RDWR)
        for bit, flag in _OPEN_FLAGS.items():
            flags |= flag if pflags & bit else 0
        mode = _FILE_MODE if attrs.permissions is None else attrs.permissions & 0o7777
        descriptor = open_in_root(self._space.root, self._absolute(path), flags | os.O_NONBLOCK, mode)
        if flags & os.O_CREAT:
            self._space.owner.own_descriptor(descriptor)
        python_mode = {os.O_RDONLY: "rb", os.O_WRONLY: "wb"}.get(flags & os.O_ACCMODE, "r+b")
        return open(descriptor, "ab" if pflags & _APPEND else python_mode, buffering=0)

    def stat(self, path: bytes) -> os.stat_result:
        with self._opened(path, os.O_PATH) as descriptor:
            return os.fstat(descriptor)

    def lstat(self, path: bytes) -> os.stat_result:
        with self._parent(path) as (folder, name):
            return os.stat(name, dir_fd=folder, follow_symlinks=False)

    def setstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        with self._opened(path, os.O_RDONLY | os.O_NONBLOCK) as descriptor:
            if attrs.size is not None:
                self._truncate(path, attrs.size)
            if attrs.permissions is not None:
                os.fchmod(descriptor, attrs.permissions & 0o7777)
            if attrs.atime is not None and attrs.mtime is not None:
                os.utime(descriptor, (attrs.atime, attrs.mtime))

    def lsetstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        self.setstat(path, attrs)

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        with self._opened(path, os.O_RDONLY | os.O_DIRECTORY) as folder:
            for entry in (".", "..", *os.listdir(folder)):
                status = os.stat("." if entry == ".." else entry, dir_fd=folder, follow_symlinks=False)
                yield asyncssh.SFTPName(os.fsencode(entry), attrs=asyncssh.SFTPAttrs.from_local(status))

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        mode = _FOLDER_MODE if attrs.permissions is None else attrs.permissions & 0o7777
        with self._parent(path) as (folder, name):
            os.mkdir(name, mode, dir_fd=folder)
        with self._opened(path, os.O_RDONLY | os.O_DIRECTORY) as made:
            self._space.owner.own_descriptor(made)

    def rmdir(self, path: bytes) -> None:
        with self._parent(path) as (folder, name):
            os.rmdir(name, dir_fd=folder)

    def remove(self, path: bytes) -> None:
        with self._parent(path) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        with self._parent(newpath) as (folder, name):
            if name in os.listdir(folder):
                raise asyncssh.SFTPFailure("File already exists")
        self.posix_rename(oldpath, newpath)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        with self._parent(oldpath) as (old, old_name), self._parent(newpath) as (new, new_name):
            os.rename(old_name, new_name, src_dir_fd=old, dst_dir_fd=new)

    def readlink(self, path: bytes) -> bytes:
        with self._parent(path) as (folder, name):
            return os.fsencode(os.readlink(name, dir_fd=folder))

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        with self._parent(newpath) as (folder, name):
            os.symlink(os.fsdecode(oldpath), name, dir_fd=folder)

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        with self._parent(oldpath) as (old, old_name), self._parent(newpath) as (new, new_name):
            os.link(old_name, new_name, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)

    def realpath(self, path: bytes) -> bytes:
        return self._absolute(path)

    def statvfs(self, path: bytes) -> os.statvfs_result:
        with self._opened(path, os.O_RDONLY | os.O_NONBLOCK) as descriptor:
            return os.fstatvfs(descriptor)

    def _absolute(self, path: bytes) -> bytes:
        return posixpath.normpath(posixpath.join(os.fsencode(self._space.home), path))

    def _truncate(self, path: bytes, size: int) -> None:
        with self._opened(path, os.O_WRONLY | os.O_NONBLOCK) as descriptor:
            os.ftruncate(descriptor, size)

    @contextmanager
    def _opened(self, path: bytes, flags: int) -> Iterator[int]:
        descriptor = open_in_root(self._space.root, self._absolute(path), flags)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _parent(self, path: bytes) -> Iterator[tuple[int, str]]:
        """The folder of `path`, open, and the last name in it, which is not followed."""
        folder, name = posixpath.split(self._absolute(path))
        with self._opened(folder, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
            yield descriptor, os.fsdecode(name) or "."
