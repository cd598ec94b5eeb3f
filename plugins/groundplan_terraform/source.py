"""Gets a module's files: from beside the blueprint, from the web, or, in a sandboxed home, from the sandbox's own.

Archives are unpacked with care: nothing leaves the folder, and size and number are bounded. What was applied is packed
and kept with the node (`pack`), so that it can be destroyed by what made it. Runs nothing.
"""

import base64
import io
import shutil
import ssl
import tarfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.spans import span
from groundplan_terraform.root_module import Source

_FETCH_SECONDS: Final = 60
_MOST_BYTES: Final = 256 * 2**20
_MOST_FILES: Final = 10_000
_LEFT_OUT: Final = frozenset({".terraform", ".git"})
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
_SPOILT: Final = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError)


def fetch(ctx: OperationContext, source: Source, folder: Path) -> None:
    """Put the files of a source into a new folder.

    Raises:
        NonRecoverableError: there are none, or they may not be had.
        RecoverableError: the web server did not answer.
    """
    stand_in = _stand_in(ctx, source.location)
    if stand_in is not None:
        ctx.logger.info(f"{_shown(source.location)}: the sandbox's module {stand_in.name} stands in for it")
        _copy(stand_in, folder)
    elif source.location.startswith(("http://", "https://")):
        _unpack(_download(ctx, source), folder, _shown(source.location))
    elif "://" in source.location or source.location.startswith(("git@", "git::")):
        raise NonRecoverableError(
            f"{_shown(source.location)}: a module comes from the blueprint's folder, or as an archive over http(s)"
        )
    else:
        _find(ctx, source.location, folder)


def pack(folder: Path) -> str:
    """Return the files below a folder as a zip archive in base64; the same files give the same text."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            inner = path.relative_to(folder)
            if path.is_file() and not _LEFT_OUT.intersection(inner.parts):
                entry = zipfile.ZipInfo(inner.as_posix(), _EARLIEST)
                entry.external_attr = (0o100755 if path.stat().st_mode & 0o100 else 0o100644) << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, path.read_bytes())
    return base64.b64encode(packed.getvalue()).decode()


def unpack(packed: str, folder: Path) -> None:
    """Put what `pack` packed into a new folder."""
    folder.mkdir(mode=0o700)
    _extract(base64.b64decode(packed), folder, "the kept module")


def _stand_in(ctx: OperationContext, location: str) -> Path | None:
    """Return the module that the sandbox has in the place of an address: that of the longest prefix that fits."""
    modules: Data = ctx.plugin.settings.get("modules")
    if not isinstance(modules, Mapping):
        return None
    fitting = [prefix for prefix in modules if location.startswith(prefix)]
    return Path(str(modules[max(fitting, key=len)])) if fitting else None


def _find(ctx: OperationContext, location: str, folder: Path) -> None:
    found = ctx.resources.path(location)
    if found.is_dir():
        _copy(found, folder)
    else:
        _unpack(found.read_bytes(), folder, location)


def _copy(found: Path, folder: Path) -> None:
    shutil.copytree(found, folder, symlinks=True, ignore=lambda _, names: _LEFT_OUT.intersection(names))
    folder.chmod(0o700)


def _download(ctx: OperationContext, source: Source) -> bytes:
    shown = _shown(source.location)
    if ctx.plugin.sandboxed:
        raise NonRecoverableError(
            f"{shown}: a sandboxed home fetches no modules; put it into the blueprint's folder"
            f"{_known(ctx.plugin.settings)}"
        )
    request = urllib.request.Request(source.location)  # noqa: S310 - http or https
    if source.username or source.password:
        login = base64.b64encode(f"{source.username}:{source.password}".encode()).decode()
        ctx.mask(login)
        request.add_unredirected_header("Authorization", f"Basic {login}")
    trust = ssl.create_default_context() if source.location.startswith("https") else None
    try:
        with (
            span("terraform fetch", server_address=urlsplit(source.location).hostname or ""),
            urllib.request.urlopen(request, timeout=_FETCH_SECONDS, context=trust) as response,  # noqa: S310
        ):
            content: bytes = response.read(_MOST_BYTES + 1)
    except urllib.error.HTTPError as error:
        error.close()
        kind = RecoverableError if error.code >= 500 or error.code == 429 else NonRecoverableError
        raise kind(f"{shown}: the server answered {error.code}") from error
    except OSError as error:
        raise RecoverableError(f"{shown}: {error}") from error
    if len(content) > _MOST_BYTES:
        raise NonRecoverableError(f"{shown} is larger than {_MOST_BYTES // 2**20} MiB")
    return content


def _known(settings: Mapping[str, Data]) -> str:
    modules = settings.get("modules")
    return f". The sandbox stands in for {', '.join(sorted(modules))}" if isinstance(modules, Mapping) else ""


def _unpack(content: bytes, folder: Path, shown: str) -> None:
    """Unpack an archive; where all of it stands in one folder, as hosts of repositories pack it, that one's content."""
    box = folder.with_name(f"{folder.name}.unpacked")
    box.mkdir(mode=0o700)
    _extract(content, box, shown)
    top = list(box.iterdir())
    (top[0] if len(top) == 1 and top[0].is_dir() else box).rename(folder)
    shutil.rmtree(box, ignore_errors=True)


def _extract(content: bytes, folder: Path, shown: str) -> None:
    stream = io.BytesIO(content)
    try:
        if zipfile.is_zipfile(stream):
            with zipfile.ZipFile(stream) as archive:
                _extract_zip(archive, folder)
            return
        stream.seek(0)
        with tarfile.open(fileobj=stream) as opened:
            members = opened.getmembers()
            _check(shown, len(members), sum(member.size for member in members))
            opened.extractall(folder, filter="data")
    except _SPOILT as error:
        raise NonRecoverableError(f"{shown} cannot be unpacked as zip or tar: {error}") from error


def _extract_zip(archive: zipfile.ZipFile, folder: Path) -> None:
    entries = archive.infolist()
    _check("the archive", len(entries), sum(entry.file_size for entry in entries))
    for entry in entries:
        # `extract` leaves no folder, whatever an entry is called; it makes plain files of links.
        made = Path(archive.extract(entry, folder))
        if made.is_file() and (entry.external_attr >> 16) & 0o100:
            made.chmod(0o755)


def _check(shown: str, files: int, size: int) -> None:
    if files > _MOST_FILES or size > _MOST_BYTES:
        raise NonRecoverableError(f"{shown} holds more than {_MOST_FILES} files or {_MOST_BYTES // 2**20} MiB")


def _shown(location: str) -> str:
    """An address without what may be secret in it."""
    if "://" not in location:
        return location
    parts = urlsplit(location)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
