"""Moves a whole store: into a file, and from a file into an empty store, on whichever database.

What is in the file besides the store's records are the folders of deployments. The file's form is `state.archive`'s.
"""

import os
import shutil
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from groundplan.diagnostics.trouble import Conflict, UsageError
from groundplan.model.ids import DeploymentId
from groundplan.service.blueprint_files import keep, parts_of, write_parts
from groundplan.service.home import Home
from groundplan.state.archive import ArchiveReader, ArchiveWriter
from groundplan.state.store import FilePart, Loader, Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """What was moved."""

    rows: int
    files: int


def export(store: Store, home: Home, file: Path, passphrase: str | None) -> Moved:
    """Write everything that a store has into a file that its owner alone may read.

    Args:
        file: appears when it is whole.
        passphrase: seals the file; None leaves out secrets and sensitive values instead.

    Raises:
        UsageError: there is such a file, or it cannot be written.
        StoreFault: the store cannot be read, or a value does not open.
    """
    if file.exists():
        raise UsageError(f"There is a file {file} already.", fix="Name another, or move it away.")
    _adopt(store, home)
    try:
        # Readable by its owner only (mkstemp).
        descriptor, draft = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.absolute().parent)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}.") from error
    try:
        with os.fdopen(descriptor, "wb") as target:
            header = {"revision": store.revision, "without_secrets": passphrase is None}
            moved = _write(store, home, ArchiveWriter(target, header, passphrase), withheld=passphrase is None)
            target.flush()
            os.fsync(target.fileno())
        os.replace(draft, file)
    # Ctrl-C as well must leave no half of an export.
    except BaseException:
        os.unlink(draft)
        raise
    return moved


def import_(store: Store, home: Home, file: Path, passphrase: Callable[[], str]) -> Moved:
    """Fill an empty store with what `export` wrote; all of it, or nothing.

    Args:
        passphrase: asked for only when the file is sealed.

    Raises:
        UsageError: the file does not read, was changed, or was written by a program with other tables.
        Conflict: the store is not empty.
    """
    try:
        source = file.open("rb")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}.") from error
    with source, tempfile.TemporaryDirectory(dir=home.scratch) as staging:
        with store.loading() as loader:
            _refuse_unless_empty(loader)
        # Between two transactions: nobody waits for the store while somebody types a passphrase.
        reader = ArchiveReader(source, str(file), passphrase)
        _refuse_other_revision(reader.header.get("revision"), store.revision, file)
        folders = _Folders(Path(staging))
        with store.loading() as loader:
            _refuse_unless_empty(loader)
            rows = loader.load(folders.taken_from(reader.records()))
            # The last thing before the commit; the store had no deployment whose folder could stand there.
            folders.place(home)
    return Moved(rows=rows, files=folders.count)


class _Folders:
    """Folders of deployments on their way into a home."""

    def __init__(self, staging: Path) -> None:
        self._staging = staging
        self.count = 0

    def taken_from(self, records: Iterator[list[Any]]) -> Iterator[Sequence[Any]]:
        """Write the records that are files, and yield the others."""
        for record in records:
            if record[0] != "file":
                yield record
                continue
            _, deployment, path, number, mode, content = record
            if len(PurePosixPath(deployment).parts) != 1 or deployment in (".", ".."):
                raise UsageError(f"The export has files of a deployment {deployment!r}, which is no name.")
            write_parts([FilePart(path, number, mode, b64decode(content))], self._staging / deployment)
            self.count += not number

    def place(self, home: Home) -> None:
        """Move the folders to where the home has them."""
        for folder in sorted(self._staging.iterdir()):
            target = home.deployment_folder(DeploymentId(folder.name))
            target.parent.mkdir(mode=0o700, exist_ok=True)
            shutil.rmtree(target, ignore_errors=True)
            folder.rename(target)


def _write(store: Store, home: Home, writer: ArchiveWriter, *, withheld: bool) -> Moved:
    rows = files = 0
    with store.snapshot() as snapshot:
        for deployment in snapshot.deployments():
            for part in parts_of(home.deployment_folder(deployment.id)):
                content = b64encode(part.content).decode()
                writer.put(["file", deployment.id, part.path, part.number, part.mode, content])
                files += not part.number
        for record in snapshot.dump(without_secrets=withheld):
            writer.put(record)
            rows += record[0] == "row"
    writer.close()
    return Moved(rows=rows, files=files)


def _adopt(store: Store, home: Home) -> None:
    """Have the store take the files of blueprints that were uploaded before it kept such."""
    with store.snapshot() as snapshot:
        digests = {item.digest for item in snapshot.blueprints()} | {item.digest for item in snapshot.deployments()}
        missing = [digest for digest in sorted(digests) if not snapshot.has_blueprint_files(digest)]
    for digest in missing:
        folder = home.blueprint_folder(digest)
        if folder.exists():
            with store.transaction() as transaction:
                keep(transaction, folder, digest)


def _refuse_unless_empty(loader: Loader) -> None:
    if not loader.is_empty():
        raise Conflict(
            "The store is not empty: an import would mix two stores.",
            fix="Name an empty database in GROUNDPLAN_DATABASE_URL, or another folder in GROUNDPLAN_HOME.",
        )


def _refuse_other_revision(found: object, known: str, file: Path) -> None:
    if found == known:
        return
    raise UsageError(
        f"{file} was written by another version of Groundplan: it has revision {found}, the store here {known}.",
        fix="Import it with the version that wrote it, then upgrade the store: groundplan db upgrade",
    )
