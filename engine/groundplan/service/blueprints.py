"""Blueprints: checked, planned, uploaded, read and deleted. Their files are kept by the digest of their content."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from groundplan.diagnostics.report import Report
from groundplan.diagnostics.suggest import suggest
from groundplan.diagnostics.trouble import Conflict, NotFound, UsageError
from groundplan.dsl.faults import SCRIPT_MISSING
from groundplan.dsl.fetch import Fetch
from groundplan.dsl.folder import DiskFolder, SourceFile
from groundplan.model.blueprint import Blueprint, to_plan
from groundplan.model.ids import BlueprintId, Digest
from groundplan.service.archives import MOST_BYTES, MOST_FILES, is_archive, unpack
from groundplan.service.blueprint_files import keep, place
from groundplan.service.home import Home
from groundplan.state.store import Snapshot, Store, StoredBlueprint, Transaction

DEFAULT_MAIN: Final = "blueprint.yaml"
_LEFT_OUT: Final = frozenset({".git", ".hg", ".svn", "__pycache__", ".venv"})


class Refused(UsageError):
    """A blueprint has errors; `report` has them."""

    def __init__(self, report: Report) -> None:
        words = "has errors" if report.has_errors else "names a script that is not beside it"
        super().__init__(f"The blueprint {words}.")
        self.report = report


@dataclass(frozen=True, kw_only=True, slots=True)
class Compiled:
    """What reading one file gave: a blueprint, or the report that says why not (warnings may stand beside both)."""

    file: Path
    blueprint: Blueprint | None
    report: Report


@dataclass(frozen=True, kw_only=True, slots=True)
class Uploaded:
    """A blueprint after an upload.

    Attributes:
        change: `created`, `unchanged` or `replaced`.
    """

    blueprint: StoredBlueprint
    change: str
    report: Report


def read(file: Path, fetch: Fetch, *, allow_local_files: bool = False) -> Compiled:
    """Read a blueprint where it lies, with all its imports; stores nothing."""
    from groundplan.dsl.compile import compile as compile_blueprint

    report = Report()
    main = SourceFile(DiskFolder(file.parent, allow_local_files), file.name)
    return Compiled(file=file, blueprint=compile_blueprint(main, fetch, report), report=report)


def upload(
    store: Store,
    home: Home,
    fetch: Fetch,
    file: Path,
    now: datetime,
    *,
    id: BlueprintId | None = None,
    replace: bool = False,
) -> Uploaded:
    """Keep a blueprint and the folder that it lies in.

    Args:
        file: the main file.
        id: default: `metadata.id` in the file, else from the folder's name (spec 8.2).
        replace: other content may take the place of what is stored under the id. Deployments keep what they were
            made from.

    Raises:
        Refused: the blueprint has errors, or names a script that is not beside it.
        Conflict: the id has other content already.
        UsageError: the folder cannot be kept.
    """
    compiled = read(file, fetch)
    missing = any(item.fault.code == SCRIPT_MISSING.code for item in compiled.report.diagnostics)
    if compiled.blueprint is None or missing:
        raise Refused(compiled.report)
    chosen = id or _id_of(compiled.blueprint, file)
    plan = to_plan(compiled.blueprint)
    digest = _digest(home, file, plan)
    with store.snapshot() as snapshot:
        known = _standing(snapshot, chosen, digest, replace=replace)
    if known is None or known.digest != digest:
        # Files are copied before the transaction, which keeps others from writing.
        _keep_files(home, file.parent, digest)
    with store.transaction() as transaction:
        known = _standing(transaction, chosen, digest, replace=replace)
        if known is not None and known.digest == digest:
            return Uploaded(blueprint=known, change="unchanged", report=compiled.report)
        stored = StoredBlueprint(
            id=chosen,
            digest=digest,
            main_file=file.name,
            created_at=now if known is None else known.created_at,
            updated_at=now,
            description=compiled.blueprint.description,
            labels={
                key.lower(): tuple(label["values"])
                for key, label in (compiled.blueprint.blueprint_labels or {}).items()
            },
        )
        transaction.put_blueprint(stored, plan)
        keep(transaction, home.blueprint_folder(digest), digest)
    return Uploaded(blueprint=stored, change="created" if known is None else "replaced", report=compiled.report)


def _standing(snapshot: Snapshot, id: BlueprintId, digest: Digest, *, replace: bool) -> StoredBlueprint | None:
    """Return what stands under an id that is to get some content."""
    known = snapshot.blueprint(id)
    if known is not None and known.digest != digest and not replace:
        raise Conflict(
            f"Blueprint {id!r} is uploaded already with other content.",
            fix="Choose another id with -b, or replace the old: groundplan blueprints upload --replace",
        )
    return known


@contextmanager
def opened(path: Path, main_file: str = DEFAULT_MAIN) -> Iterator[Path]:
    """Give the main file of what a path names: a YAML file, a folder, or an archive (unpacked while the block runs).

    Raises:
        UsageError: there is no such file.
    """
    with tempfile.TemporaryDirectory(prefix="groundplan-") as unpacked:
        folder = unpack(path, Path(unpacked)) if is_archive(path) else path
        file = folder / main_file if folder.is_dir() else folder
        if not file.is_file():
            raise UsageError(
                f"There is no blueprint {path}." if file == path else f"There is no {main_file} in {path}."
            )
        yield file


def find_files(folder: Path) -> Sequence[Path]:
    """Return every blueprint in a folder tree: each YAML file with a `tosca_definitions_version`, by path.

    Raises:
        UsageError: there is no such folder, or no blueprint in it.
    """
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.")
    candidates = sorted(path for path in folder.rglob("*") if path.suffix in (".yaml", ".yml") and path.is_file())
    found = [path for path in candidates if is_blueprint(path)]
    if not found:
        raise UsageError(f"There is no blueprint in {folder}: no YAML file with a tosca_definitions_version.")
    return found


def is_blueprint(path: Path) -> bool:
    """Whether a YAML file is a blueprint's main file, well written or not: it names its `tosca_definitions_version`."""
    text = path.read_bytes()
    if b"tosca_definitions_version" not in text:
        return False
    from groundplan.dsl.reader import read_data

    document = read_data(text, str(path), Report())
    return document is None or (isinstance(document, dict) and "tosca_definitions_version" in document)


def existing(snapshot: Snapshot, id: BlueprintId) -> StoredBlueprint:
    """Return an uploaded blueprint.

    Raises:
        NotFound: there is none of that id.
    """
    found = snapshot.blueprint(id)
    if found is None:
        near = suggest(id, [item.id for item in snapshot.blueprints()])
        raise NotFound(
            f"There is no blueprint {id!r}.",
            fix=f"Did you mean {near!r}?" if near else "See those that there are: groundplan blueprints list",
        )
    return found


def listing(store: Store) -> Sequence[StoredBlueprint]:
    """Return all uploaded blueprints, by id."""
    with store.snapshot() as snapshot:
        return snapshot.blueprints()


def plan(store: Store, id: BlueprintId) -> tuple[StoredBlueprint, Mapping[str, Any]]:
    """Return an uploaded blueprint with its plan."""
    with store.snapshot() as snapshot:
        found = existing(snapshot, id)
        return found, snapshot.plan(found.digest) or {}


def delete(store: Store, id: BlueprintId) -> None:
    """Forget a blueprint; see `delete_in`."""
    with store.transaction() as transaction:
        delete_in(transaction, id)


def delete_in(transaction: Transaction, id: BlueprintId) -> None:
    """Forget a blueprint in a transaction of the caller's. Its files stay for the deployments made from it.

    Raises:
        NotFound: there is none of that id.
        Conflict: a deployment uses it, or another blueprint imports it.
    """
    existing(transaction, id)
    users = [item.id for item in transaction.deployments() if item.blueprint == id]
    if users:
        raise Conflict(
            f"Blueprint {id!r} is used by deployments: {', '.join(users)}.",
            fix="Uninstall and delete them first: groundplan uninstall DEPLOYMENT_ID",
        )
    importers = importers_of(transaction, id)
    if importers:
        raise Conflict(
            f"Blueprint {id!r} is imported by {', '.join(importers)}.",
            fix="Delete those first: groundplan blueprints delete BLUEPRINT_ID",
        )
    transaction.delete_blueprint(id)


def importers_of(snapshot: Snapshot, id: BlueprintId) -> list[str]:
    """Return the blueprints that import one, and the deployments that were made from such."""
    users = {item.digest: f"deployment {item.id}" for item in snapshot.deployments()}
    users |= {item.digest: str(item.id) for item in snapshot.blueprints()}
    return sorted(
        user for digest, user in users.items() if id in (snapshot.plan(digest) or {}).get("imported_blueprints", ())
    )


def _id_of(blueprint: Blueprint, file: Path) -> BlueprintId:
    named = blueprint.metadata.get("id") if isinstance(blueprint.metadata, dict) else None
    if isinstance(named, str) and named:
        return BlueprintId(named)
    folder = file.resolve().parent.name.replace("_", "-")
    return BlueprintId(folder if file.name == DEFAULT_MAIN else f"{folder}.{file.name}")


def _digest(home: Home, file: Path, plan: Mapping[str, Any]) -> Digest:
    """Return the digest of what an upload keeps: the folder's files and the plan made of them."""
    content = hashlib.sha256(file.name.encode())
    content.update(repr(plan).encode())
    for path in _files(home, file.parent):
        content.update(str(path.relative_to(file.parent)).encode() + b"\0")
        content.update(f"{os.stat(path).st_mode & 0o111}".encode())
        content.update(hashlib.sha256(path.read_bytes()).digest())
    return Digest(content.hexdigest())


def _files(home: Home, folder: Path) -> Iterator[Path]:
    """Yield the plain files of a folder tree in order, bounded in number and size.

    Links are not followed, and a home that lies in the folder is none of the blueprint's: it holds the key.
    """
    own = home.path.resolve()
    if folder.resolve() == own:
        raise UsageError(f"{folder} is the home itself.", fix="Move the blueprint into a folder of its own.")
    count = size = 0
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and Path(root, name).resolve() != own)
        for name in sorted(names):
            path = Path(root, name)
            if path.is_symlink() or not path.is_file():
                continue
            count, size = count + 1, size + path.stat().st_size
            if count > MOST_FILES or size > MOST_BYTES:
                raise UsageError(
                    f"The folder {folder} has more than {MOST_FILES} files or {MOST_BYTES // 1024 // 1024} MiB.",
                    fix="Move the blueprint into a folder of its own.",
                )
            yield path


def _keep_files(home: Home, folder: Path, digest: Digest) -> None:
    target = home.blueprint_folder(digest)
    if target.exists():
        return
    with tempfile.TemporaryDirectory(dir=home.blueprints) as staging:
        for path in _files(home, folder):
            copy = Path(staging, "files", path.relative_to(folder))
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
        Path(staging, "files").mkdir(exist_ok=True)
        place(Path(staging, "files"), target)
