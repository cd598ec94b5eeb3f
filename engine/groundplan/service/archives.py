"""Unpacks archives of blueprints: nothing leaves the folder, no links, no devices, bounded in number and size.

zip, tar, tar.gz, tar.bz2 and tar.xz are told by their content, not by their names.
"""

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, cast

from groundplan.diagnostics.trouble import UsageError

MOST_FILES: Final = 10_000
MOST_BYTES: Final = 512 * 1024 * 1024
_CHUNK: Final = 1 << 20
_LARGEST_READ: Final = 2 * _CHUNK
_COMPRESSIONS: Final[Mapping[bytes, Callable[..., Any]]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
# RuntimeError: encrypted, or a compression that Python does not know; ValueError: a name that no file can have.
_SPOILT: Final = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)


def is_archive(path: Path) -> bool:
    """Whether a file is one of the archives that can be unpacked."""
    return path.is_file() and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path))


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack an archive into an empty folder and return the blueprint's folder in it: its one top folder, or itself.

    Raises:
        UsageError: an entry leads out of the folder, is a link or a device, or there is too much of it.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                _write_all(_zip_entries(opened), folder)
        else:
            with _decompressed(archive) as content:
                sips = cast(IO[bytes], _Sips(content))
                with tarfile.open(fileobj=sips, mode="r:") as opened_tar:
                    _write_all(_tar_entries(opened_tar), folder)
    except _SPOILT as error:
        raise UsageError(f"The archive {archive} cannot be unpacked: {error}.") from error
    top = list(folder.iterdir())
    return top[0] if len(top) == 1 and top[0].is_dir() else folder


def _decompressed(archive: Path) -> IO[bytes]:
    with archive.open("rb") as file:
        begin = file.read(6)
    way = next((way for mark, way in _COMPRESSIONS.items() if begin.startswith(mark)), None)
    return archive.open("rb") if way is None else cast(IO[bytes], way(archive, "rb"))


class _Sips:
    """A file that is read in small amounts only: a header that announces a large one would fill the memory."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content
        self.tell = content.tell
        self.seek = content.seek

    def read(self, size: int) -> bytes:
        if size > _LARGEST_READ:
            raise UsageError("The archive has a header that is too large.")
        return self._content.read(size)


Entry = tuple[str, int, bool, IO[bytes] | None]
"""Name, size as announced, whether it may be executed, content; None for a folder, which counts as well."""


def _zip_entries(archive: zipfile.ZipFile) -> Iterator[Entry]:
    for item in archive.infolist():
        mode = item.external_attr >> 16
        if (mode & 0o170000) == 0o120000:
            raise UsageError(f"The archive holds a link: {item.filename}.")
        if item.is_dir():
            yield item.filename, 0, False, None
        else:
            with archive.open(item) as content:
                yield item.filename, item.file_size, bool(mode & 0o100), content


def _tar_entries(archive: tarfile.TarFile) -> Iterator[Entry]:
    for item in archive:
        if item.isdir():
            yield item.name, 0, False, None
            continue
        content = archive.extractfile(item) if item.isreg() else None
        if content is None:
            raise UsageError(f"The archive holds something else than files and folders: {item.name}.")
        yield item.name, item.size, bool(item.mode & 0o100), content


def _write_all(entries: Iterator[Entry], folder: Path) -> None:
    count = total = 0
    for name, announced, executable, content in entries:
        count, total = count + 1, total + announced
        if count > MOST_FILES or total > MOST_BYTES:
            raise UsageError(f"The archive holds more than {MOST_FILES} files or {MOST_BYTES // 1024 // 1024} MiB.")
        if content is None:
            continue
        target = _inside(folder, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            _copy(content, file, announced, name)
        target.chmod(0o755 if executable else 0o644)


def _copy(content: IO[bytes], file: IO[bytes], announced: int, name: str) -> None:
    left = announced
    while chunk := content.read(min(_CHUNK, left + 1)):
        left -= len(chunk)
        if left < 0:
            raise UsageError(f"The archive holds more of {name} than it announces.")
        file.write(chunk)


def _inside(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
        raise UsageError(f"The archive holds a path that leads out of it: {name}.")
    return folder.joinpath(*parts)
