"""The blueprint's folder as the editor has it: open buffers stand in front of the files on the disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from groundplan.dsl.folder import DiskFolder


@dataclass(frozen=True, slots=True)
class OverlayFolder:
    """Implements `dsl.folder.Folder`.

    Attributes:
        buffers: texts of open files by resolved path.
    """

    disk: DiskFolder
    buffers: Mapping[Path, str]

    def read(self, path: str) -> bytes | None:
        """Return a file's bytes, from the buffer where it is open. Raises `Outside`."""
        content = self.disk.read(path)
        buffer = self.buffers.get((self.disk.root / path).resolve())
        return content if buffer is None else buffer.encode()

    def contains(self, path: str) -> bool:
        """Whether there is such a file inside the folder."""
        return self.disk.contains(path)

    def beside(self, path: str) -> list[str]:
        """Return the names of the files in the same inner folder as a path."""
        return self.disk.beside(path)

    def display(self, path: str) -> str:
        """Return the path as the author can open it."""
        return self.disk.display(path)
