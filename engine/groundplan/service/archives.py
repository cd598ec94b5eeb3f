"""Unpacks archives of blueprints: nothing leaves the folder, no links, no devices, bounded in number and size.

zip, tar, tar.gz, tar.bz2 and tar.xz are told by their content, not by their names.
"""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Final

from groundplan.diagnostics.trouble import UsageError

MOST_FILES: Final = 10_000
MOST_BYTES: Final = 512 * 1024 * 1024
_CHUNK: Final = 1 << 20
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
            with tarfile.open(archive) as opened_tar:
                _write_all(_tar_entries(opened_tar), folder)
    except _SPOILT as error:
        raise UsageError(f"The archive {archive} cannot be unpacked: {error}.") from error
    top = list(folder.iterdir())
    return top[0] if len(top) == 1 and top[0].is_dir() else folder


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
