"""The folder of a blueprint: what its files may be read from, and nothing beyond it.

A folder on disk follows no link and no `..` out of itself unless its author allows that. Texts from elsewhere come
through `imports.Fetch`.
"""

from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from posixpath import join, split, splitext
from typing import Protocol

from groundplan.diagnostics.suggest import suggest


class Outside(Exception):
    """The path leads out of the folder."""


class Folder(Protocol):
    """Files by their path relative to the folder, with forward slashes."""

    def read(self, path: str) -> bytes | None:
        """Return a file's bytes, or None when there is no such file. Raises `Outside`."""
        ...

    def contains(self, path: str) -> bool:
        """Whether there is such a file inside the folder."""
        ...

    def beside(self, path: str) -> list[str]:
        """Return the names of the files in the same inner folder as a path, for "did you mean"."""
        ...

    def display(self, path: str) -> str:
        """Return the path as people are to see it."""
        ...


@dataclass(frozen=True, slots=True)
class DiskFolder:
    """A folder of this machine.

    Attributes:
        root: the folder; diagnostics show paths under it as it is written here.
        allow_local_files: whether paths may lead out of it (the author's own machine).
    """

    root: Path
    allow_local_files: bool = False

    def read(self, path: str) -> bytes | None:
        """Return a file's bytes, or None when there is no readable file of that path. Raises `Outside`."""
        found = self._locate(path)
        try:
            return found.read_bytes() if found is not None else None
        except OSError:
            return None

    def contains(self, path: str) -> bool:
        """Whether there is such a file inside the folder."""
        try:
            return self._locate(path) is not None
        except Outside:
            return False

    def beside(self, path: str) -> list[str]:
        """Return the names of the files in the same inner folder as a path; at most 1,000 of them."""
        try:
            inner = (self.root / path).parent
            if not inner.resolve().is_relative_to(self.root.resolve()):
                return []
            return [each.name for each in islice(inner.iterdir(), 1000)]
        except (OSError, ValueError, RuntimeError):
            return []

    def display(self, path: str) -> str:
        """Return the path as the author can open it."""
        return str(self.root / path)

    def _locate(self, path: str) -> Path | None:
        try:
            found = (self.root / path).resolve()
            if not self.allow_local_files and not found.is_relative_to(self.root.resolve()):
                raise Outside(path)
            return found if found.is_file() else None
        except (OSError, ValueError, RuntimeError):
            return None


@dataclass(frozen=True, slots=True)
class MemoryFolder:
    """Files held in memory: an archive that was unpacked there, an editor's buffers, a test.

    Attributes:
        files: content by normalised relative path.
        label: what stands before the paths that people see, for example `blueprint:vpc/`.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    label: str = ""

    def read(self, path: str) -> bytes | None:
        """Return a file's bytes, or None when there is no such file. Raises `Outside`."""
        return self.files.get(normal(path))

    def contains(self, path: str) -> bool:
        """Whether there is such a file."""
        try:
            return normal(path) in self.files
        except Outside:
            return False

    def beside(self, path: str) -> list[str]:
        """Return the names of the files in the same inner folder as a path."""
        parent = PurePosixPath(path).parent
        return [each.name for each in map(PurePosixPath, self.files) if each.parent == parent]

    def display(self, path: str) -> str:
        """Return the path with the folder's label."""
        return self.label + path


def nearest(path: str, folder: Folder) -> str:
    """Return the path of the file beside a missing one whose name is nearest, or an empty string."""
    inner, name = split(path)
    stem, extension = splitext(name)
    stems = [splitext(each)[0] for each in folder.beside(path) if each.endswith(extension)]
    near = suggest(stem, stems)
    return join(inner, near + extension) if near else ""


def normal(path: str) -> str:
    """Return a relative path without `.` and `..`; raises `Outside` when it leads out or is absolute."""
    parts: list[str] = []
    if PurePosixPath(path).is_absolute():
        raise Outside(path)
    for part in PurePosixPath(path).parts:
        if part == "..":
            if not parts:
                raise Outside(path)
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file inside a folder."""

    folder: Folder
    path: str

    @classmethod
    def at(cls, path: Path, *, allow_local_files: bool = False) -> "SourceFile":
        """Return the file at a path of this machine; its folder is the one that holds it."""
        return cls(DiskFolder(path.parent, allow_local_files), path.name)

    @property
    def display(self) -> str:
        """The file's name for people."""
        return self.folder.display(self.path)

    def read(self) -> bytes | None:
        """Return the file's bytes, or None when there is no readable file in the folder."""
        try:
            return self.folder.read(self.path)
        except Outside:
            return None
