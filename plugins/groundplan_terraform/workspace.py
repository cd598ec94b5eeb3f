"""Where a module is worked on, and how its state is never lost.

The state is a file only while the binary runs, in the instance's folder of the home; each change of it goes into the
store at once, sealed (`ctx.remembered`), and the newest of all copies is what the next command begins with. Nobody else
works on it meanwhile: not even the binary of an attempt whose engine was killed, which is waited for.
"""

import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from groundplan.model.values import Data, Sensitive, reveal
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan_terraform import source
from groundplan_terraform.root_module import RootModule

STATE: Final = "terraform_state"
PACKED: Final = "terraform_source"
LOCK_FILE: Final = "dependency_lock"
"""Runtime properties: the state, the module as it was applied, the versions of providers that it was applied with."""
_REMEMBERED: Final = "terraform.state:"
_LEFT: Final = ("terraform.tfstate.backup", ".terraform.tfstate.lock.info")
_OWN_BACKEND: Final = re.compile(r"""^\s*(backend\s+"|cloud\s*\{)|"(backend|cloud)"\s*:""", re.MULTILINE)
_EXPRESSION: Final = re.compile(r"(var|local|data|module)\.[\w.\[\]\"*-]+\Z")
_LARGEST_PACKED: Final = 1_000_000
_KEEP_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class StateCopy:
    """A copy of the state in the binary's own form; `lineage` names the state, `serial` grows with it."""

    text: str
    lineage: str
    serial: int

    @property
    def is_empty(self) -> bool:
        """Whether it has no resource."""
        return not json.loads(self.text).get("resources")


def read_copy(text: Data) -> StateCopy | None:
    """Return the copy in a text, or None when there is none, or half of one."""
    try:
        found: Any = json.loads(text) if text else None
        return StateCopy(text=text, lineage=str(found["lineage"]), serial=int(found["serial"])) if found else None
    except (ValueError, KeyError, TypeError):
        return None


def kept_copy(ctx: OperationContext) -> StateCopy | None:
    """Return the newest copy of the state that the store has."""
    recorded = read_copy(reveal(ctx.instance.runtime_properties.get(STATE)))
    return _newer(recorded, read_copy(ctx.remembered.get(_key(ctx))))


class Workspace:
    """The folder of one attempt: the module's files with what is generated beside them, and the state.

    Attributes:
        folder: where the binary runs.
        is_remote: the state is kept elsewhere, by a backend of the author's.
        variable_files: what `-var-file` is given, in this order.
    """

    def __init__(self, ctx: OperationContext) -> None:
        self._ctx = ctx
        self._place = ctx.lasting_folder
        self._kept = kept_copy(ctx)
        self._kept_at = 0.0
        self.root = self._place / "work"
        self.folder = self.root
        self.is_remote = False
        self.variable_files: Sequence[Path] = ()

    @property
    def state(self) -> str:
        """The state as it is now; empty when there is none."""
        copy = _newer(self._kept, self._in_file())
        return "" if copy is None else copy.text

    def lay_out(self, module: RootModule, *, afresh: bool) -> None:
        """Put the module's files into the folder, and the state in its place.

        Args:
            afresh: from where the module comes; else as it was applied, as far as that was kept.

        Raises:
            NonRecoverableError, RecoverableError: the module cannot be had.
        """
        properties = self._ctx.instance.runtime_properties
        packed = None if afresh else reveal(properties.get(PACKED))
        if packed:
            source.unpack(str(packed), self.root)
        else:
            source.fetch(self._ctx, module.source, self.root)
            self._pack()
        self.folder = _inside(self.root, module.source.path)
        self._generate(module)
        self._lay_state()

    def is_settled(self) -> bool:
        """Whether the state is where it was taken to be, once the folder was initialised; else it is put there.

        A block for a backend may stand in a comment, or name the local one, whose file would go with the folder.
        """
        if not self.is_remote or _initialised_backend(self.folder) not in ("", "local"):
            return True
        self.is_remote = False
        self._override({"backend": self._own_backend})
        return False

    @property
    def kept(self) -> StateCopy | None:
        """The newest copy of the state that the store has."""
        return self._kept

    def kept_file(self) -> Path:
        """Return a file with that copy, which goes with the folder."""
        path = self.folder / "groundplan.tfstate"
        _write(path, "" if self._kept is None else self._kept.text)
        return path

    def forget(self) -> None:
        """Keep no state with the node any more: the author's backend has it."""
        self._state_path.unlink(missing_ok=True)
        self._ctx.remembered.pop(_key(self._ctx), None)
        self._ctx.instance.runtime_properties.pop(STATE, None)
        self._kept = None

    def keep(self) -> None:
        """Put the state into the store, if it has changed."""
        copy = _newer(self._kept, self._in_file())
        if copy is not None and (self._kept is None or copy.text != self._kept.text):
            self._ctx.remembered[_key(self._ctx)] = copy.text
            self._kept = copy
            self._kept_at = time.monotonic()

    def keep_now_and_then(self) -> None:
        """The same, while resources come one after another: a large state costs its size each time."""
        if time.monotonic() - self._kept_at >= _KEEP_SECONDS:
            self.keep()

    def close(self) -> None:
        """Keep the state, then leave nothing of it in the folder."""
        errored = self.folder / "errored.tfstate"
        if errored.is_file():
            # The binary could not write the state to its place, and left it where it ran.
            errored.replace(self._state_path)
            if self.is_remote:
                self._ctx.logger.warning(
                    "the backend did not take the state: it is kept with the node, and given to the backend next time"
                )
        self.keep()
        for path in (self._state_path, *(self._place / name for name in _LEFT)):
            path.unlink(missing_ok=True)
        self._keep_versions()
        shutil.rmtree(self.root, ignore_errors=True)

    @property
    def _state_path(self) -> Path:
        return self._place / "terraform.tfstate"

    def _in_file(self) -> StateCopy | None:
        try:
            return read_copy(self._state_path.read_text())
        except (FileNotFoundError, UnicodeDecodeError):
            return None

    def _lay_state(self) -> None:
        """Have the binary begin with the newest copy: what a lost attempt left in the file may be it."""
        left = self._in_file()
        if left is not None and self._kept is not None and left.lineage != self._kept.lineage:
            aside = self._state_path.with_name(f"terraform.tfstate.{left.lineage}")
            self._state_path.replace(aside)
            self._ctx.logger.warning(f"a state that is not this module's was left here; it is put aside: {aside}")
        self.keep()
        if self._kept is not None:
            _write(self._state_path, self._kept.text)

    def _pack(self) -> None:
        properties = self._ctx.instance.runtime_properties
        packed = source.pack(self.root)
        most = int(self._ctx.node.properties.get("max_runtime_property_size") or _LARGEST_PACKED)
        if len(packed) > most:
            properties.pop(PACKED, None)
            self._ctx.logger.warning(
                f"the module has {len(packed)} characters when it is packed, more than max_runtime_property_size "
                f"({most}): it is not kept, and is read from its source again when it is destroyed"
            )
        else:
            # Nobody reads it, and nobody knows what its author put into it.
            properties[PACKED] = Sensitive(packed)

    def _generate(self, module: RootModule) -> None:
        """Write what the node adds to its module, each file readable by nobody else."""
        required = {"required_providers": dict(module.required_providers)} if module.required_providers else {}
        self._override({**required, **self._backend(module)})
        if module.providers:
            self._write_providers(module)
        variables = self.folder / "groundplan.tfvars.json"
        _write_json(variables, dict(module.variables))
        files = [_inside(self.folder, module.tfvars)] if module.tfvars else []
        self.variable_files = [*files, variables]
        self._lay_versions()

    def _backend(self, module: RootModule) -> dict[str, Any]:
        named = str(module.backend.get("name") or "").strip('"') if module.backend else ""
        has_own = any(_OWN_BACKEND.search(path.read_text(errors="replace")) for path in _config_files(self.folder))
        self.is_remote = bool(named and named != "local") or (has_own and not named)
        if self.is_remote and self._ctx.plugin.sandboxed:
            self._ctx.logger.warning("a sandboxed home reaches no backend: the state is kept in the store instead")
            self.is_remote = False
        if not self.is_remote:
            return {"backend": self._own_backend}
        if not named:
            return {}
        options = {**(module.backend.get("options") or {}), **(module.backend.get("credentials") or {})}
        return {"backend": {named: options}}

    @property
    def _own_backend(self) -> dict[str, Any]:
        return {"local": {"path": str(self._state_path)}}

    def _override(self, more: Mapping[str, Any]) -> None:
        """Have the module's settings say this as well."""
        path = self.folder / "groundplan_override.tf.json"
        said = json.loads(path.read_text())["terraform"] if path.exists() else {}
        if more or said:
            _write_json(path, {"terraform": {**said, **more}})

    def _write_providers(self, module: RootModule) -> None:
        given = self.folder / module.providers_file
        blocks: dict[str, list[Data]] = {}
        for provider in module.providers:
            name = str(provider.get("name") or "").strip('"')
            if not name:
                raise NonRecoverableError("provider.providers: each needs a name")
            blocks.setdefault(name, []).append(_expressions(provider.get("options") or {}))
        _inside(self.folder, module.providers_file, must_exist=False).unlink(missing_ok=True)
        _write_json(given.with_name(f"{given.name.partition('.')[0]}.tf.json"), {"provider": blocks})

    def _lay_versions(self) -> None:
        path = self.folder / ".terraform.lock.hcl"
        if self._ctx.plugin.sandboxed:
            # It has the checksums of the real providers, and the sandbox's are others.
            path.unlink(missing_ok=True)
        elif not path.exists() and (kept := self._ctx.instance.runtime_properties.get(LOCK_FILE)):
            _write(path, str(kept))

    def _keep_versions(self) -> None:
        path = self.folder / ".terraform.lock.hcl"
        if path.is_file() and not self._ctx.plugin.sandboxed:
            self._ctx.instance.runtime_properties[LOCK_FILE] = path.read_text()


@contextmanager
def open_workspace(ctx: OperationContext) -> Iterator[Workspace]:
    """Give the instance's workspace to this attempt alone; what an attempt that was cut off left in it is cleared away.

    Raises:
        RecoverableError: the attempt was given up while it waited for an earlier one.
    """
    place = ctx.lasting_folder
    lock = os.open(place / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait_for_others(ctx, lock, place / "terraform.tfstate")
        shutil.rmtree(place / "work", ignore_errors=True)
        workspace = Workspace(ctx)
        try:
            yield workspace
        finally:
            workspace.close()
    finally:
        os.close(lock)


def _wait_for_others(ctx: OperationContext, lock: int, state: Path) -> None:
    """Wait for another attempt of this engine, and for the binary of one whose engine is dead: it holds the state."""
    told = False
    while not (_try(fcntl.flock, lock) and _is_free(state)):
        if not told:
            ctx.logger.info("an earlier attempt's terraform is still ending: waiting for it, and for what it has made")
            told = True
        ctx.sleep(0.5)


def _is_free(state: Path) -> bool:
    try:
        descriptor = os.open(state, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        return _try(fcntl.lockf, descriptor)
    finally:
        os.close(descriptor)


def _try(lock: Any, descriptor: int) -> bool:
    try:
        lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _newer(one: StateCopy | None, other: StateCopy | None) -> StateCopy | None:
    """Return the copy with the higher serial, else the other: the serial grows once a command, the state oftener.

    Of another lineage than the first, it does not count.
    """
    if one is None or other is None:
        return one or other
    return other if other.lineage == one.lineage and other.serial >= one.serial else one


def _key(ctx: OperationContext) -> str:
    return f"{_REMEMBERED}{ctx.instance.id}"


def _initialised_backend(folder: Path) -> str:
    """Return the type of backend that `init` has found, or nothing."""
    try:
        found: Any = json.loads((folder / ".terraform" / "terraform.tfstate").read_text())
    except (FileNotFoundError, ValueError):
        return ""
    return str((found.get("backend") or {}).get("type") or "")


def _config_files(folder: Path) -> list[Path]:
    return [path for pattern in ("*.tf", "*.tf.json", "*.tofu") for path in folder.glob(pattern) if path.is_file()]


def _inside(folder: Path, path: str, *, must_exist: bool = True) -> Path:
    found = (folder / path).resolve()
    if not found.is_relative_to(folder.resolve()):
        raise NonRecoverableError(f"{path} lies outside of the module")
    if must_exist and not found.exists():
        raise NonRecoverableError(f"the module has no {path}")
    return found


def _expressions(data: Data) -> Data:
    """Return options with references such as `var.region` written as Terraform's JSON wants them."""
    if isinstance(data, Mapping):
        return {key: _expressions(item) for key, item in data.items()}
    if isinstance(data, list):
        return [_expressions(item) for item in data]
    if isinstance(data, str) and _EXPRESSION.match(data):
        return f"${{{data}}}"
    return data


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    _write(path, json.dumps(content))


def _write(path: Path, text: str) -> None:
    """Write a file that is whole or as it was, readable by its owner only."""
    made = path.with_name(f".{path.name}.new")
    with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    made.replace(path)
