"""Files of uploaded blueprints: the store has them, and each home gets a folder of them when it first needs one.

So a worker on another machine runs what was uploaded elsewhere. Which files belong to a blueprint is `blueprints`'.
"""

import errno
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from groundplan.model.ids import BlueprintId, Digest
from groundplan.service.home import Home
from groundplan.state.store import FilePart, Snapshot, Store, StoreFault, Transaction

PART_BYTES: Final = 1024 * 1024
_TAKEN: Final = (errno.ENOTEMPTY, errno.EEXIST)


class BlueprintFiles:
    """The folders of one home, filled from its store."""

    def __init__(self, home: Home, store: Callable[[], Store]) -> None:
        self._home = home
        self._store = store

    def folder(self, digest: Digest) -> Path:
        """Return the folder with the files of a digest, brought from the store when this home has none yet."""
        folder = self._home.blueprint_folder(digest)
        if not folder.exists():
            with self._store().snapshot() as snapshot:
                bring(snapshot, self._home, digest)
        return folder

    def folder_of(self, id: BlueprintId) -> Path | None:
        """Return the folder with the files of an uploaded blueprint, or None when there is no such blueprint."""
        with self._store().snapshot() as snapshot:
            found = snapshot.blueprint(id)
        return None if found is None else self.folder(found.digest)


def keep(transaction: Transaction, folder: Path, digest: Digest) -> None:
    """Put the files of a folder into the store under a digest, unless it has them."""
    if not transaction.has_blueprint_files(digest):
        transaction.put_blueprint_files(digest, parts_of(folder))


def bring(snapshot: Snapshot, home: Home, digest: Digest) -> None:
    """Write the files of a digest into their folder of the home; nothing when the store has none."""
    with tempfile.TemporaryDirectory(dir=home.blueprints) as staging:
        files = Path(staging, "files")
        write_parts(snapshot.blueprint_files(digest), files)
        if files.exists():
            place(files, home.blueprint_folder(digest))


def join(transaction: Transaction, home: Home, digest: Digest, *, newer: Digest, older: Digest) -> None:
    """Keep the files of two contents together under a third digest; of a file that both have, the newer one's."""
    with tempfile.TemporaryDirectory(dir=home.blueprints) as staging:
        files = Path(staging, "files")
        files.mkdir()
        for each in (older, newer):
            folder = home.blueprint_folder(each)
            if not folder.exists():
                bring(transaction, home, each)
            if folder.exists():
                shutil.copytree(folder, files, dirs_exist_ok=True)
        keep(transaction, files, digest)
        place(files, home.blueprint_folder(digest))


def place(files: Path, target: Path) -> None:
    """Move files to where the content of their digest belongs; another process may have been quicker."""
    try:
        files.rename(target)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise


def parts_of(folder: Path) -> Iterator[FilePart]:
    """Yield the plain files of a folder tree in parts, by path."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        name, mode = path.relative_to(folder).as_posix(), path.stat().st_mode & 0o777
        with path.open("rb") as file:
            content = file.read(PART_BYTES)
            number = 0
            while content or not number:
                yield FilePart(name, number, mode, content)
                content, number = file.read(PART_BYTES), number + 1


def write_parts(parts: Iterable[FilePart], folder: Path) -> None:
    """Write files from their parts below a folder, which is made with the first.

    Raises:
        StoreFault: a name leads out of the folder.
    """
    for part in parts:
        name = PurePosixPath(part.path)
        if name.is_absolute() or ".." in name.parts:
            raise StoreFault(f"The store holds a file that lies outside of its folder: {part.path!r}.")
        target = folder / name
        if not part.number:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(mode=0o600)
            target.chmod(part.mode | 0o600)
        with target.open("ab") as file:
            file.write(part.content)
