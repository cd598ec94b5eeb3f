"""The binary, terraform or tofu: found on this machine, and run with nothing secret on its command line.

Variables travel in a file of mode 0600, credentials in the environment of the process; what it prints is `messages`'.
In a sandboxed home its providers are the sandbox's, and nothing else is reached. The module's folder is `workspace`'s.
"""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.context import Completed, LineSink, OperationContext
from groundplan.sdk.errors import NonRecoverableError, OperationError, RecoverableError
from groundplan.sdk.spans import span
from groundplan_terraform.messages import Messages, failure_of_text
from groundplan_terraform.root_module import RootModule
from groundplan_terraform.workspace import Workspace, read_copy

PROGRAMS: Final = ("terraform", "tofu")
_OLDEST: Final = (1, 0)
_GRACE_SECONDS: Final = 600.0
"""What a provider is making when the attempt ends is finished and noted within this time."""
_LOCK_SECONDS: Final = 120
_THERE_ALREADY: Final = "Resource already managed"
_QUIET: Final = ("-input=false", "-no-color")
_INSTALL: Final = (
    "Install Terraform (https://developer.hashicorp.com/terraform/install) or OpenTofu "
    "(https://opentofu.org/docs/intro/install) where the engine runs, "
    "or name the program in terraform_config.executable_path"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A binary of this machine; `name` is `terraform` or `tofu`."""

    name: str
    path: Path
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.path})"


def find_tool(ctx: OperationContext, *, named: str = "", noted: str = "") -> Tool:
    """Return the binary, else the first of `terraform` and `tofu` on the engine's PATH.

    Args:
        named: the one that the author wants, and no other.
        noted: the one that was used before, perhaps on another machine.

    Raises:
        NonRecoverableError: there is none, or it is too old.
    """
    if named and shutil.which(named) is None:
        raise NonRecoverableError(f"{named} is no program on this machine. {_INSTALL}")
    for program in filter(None, (named, noted, *PROGRAMS)):
        found = shutil.which(program)
        if found is not None:
            return _asked(ctx, Path(found).resolve(), Path(program).name)
    raise NonRecoverableError(f"there is no {' or '.join(PROGRAMS)} on the PATH. {_INSTALL}")


def _asked(ctx: OperationContext, path: Path, called: str) -> Tool:
    ended = ctx.run([str(path), "version", "-json"], environment={"CHECKPOINT_DISABLE": "1"}, shown=[path], timeout=60)
    try:
        version = str(json.loads(ended.stdout)["terraform_version"])
        numbers = tuple(int(part) for part in version.partition("-")[0].split(".")[:2])
    except (ValueError, KeyError, TypeError):
        raise NonRecoverableError(
            f"{path} does not tell its version as terraform and tofu do: {ended.stderr.strip()}"
        ) from None
    if numbers < _OLDEST:
        raise NonRecoverableError(f"{path} is of version {version}; 1.0 or later is needed. {_INSTALL}")
    return Tool(name="tofu" if "tofu" in (path.name + called) else "terraform", path=path, version=version)


class Terraform:
    """Commands on one module in one workspace."""

    def __init__(self, ctx: OperationContext, tool: Tool, module: RootModule, workspace: Workspace) -> None:
        self._ctx = ctx
        self._tool = tool
        self._module = module
        self._workspace = workspace

    def init(self) -> None:
        """Get providers and inner modules; providers are kept in the home for all modules."""
        self._init()
        if not self._workspace.is_settled():
            self._init("-reconfigure")
        if self._workspace.is_remote:
            self._hand_over()

    def _hand_over(self) -> None:
        """Give the author's backend what is kept with the node: it came to the module later, or took nothing before.

        Raises:
            NonRecoverableError: the backend has the state of something else.
            RecoverableError: it does not answer.
        """
        kept = self._workspace.kept
        if kept is None:
            return
        there = read_copy(self._text(["state", "pull"]))
        # Of a backend that has none, an empty state with a lineage made up for the moment is pulled.
        if there is not None and there.lineage != kept.lineage and not (there.is_empty or kept.is_empty):
            raise NonRecoverableError(
                "the backend has the state of something else, and what this module has made is in terraform_state: "
                "name another place in the backend, or take the backend out again"
            )
        is_there = there is not None and there.lineage == kept.lineage and there.serial >= kept.serial
        if not (is_there or kept.is_empty):
            self._text(["state", "push", *self._lock(), str(self._workspace.kept_file())])
            self._ctx.logger.info("the backend has been given the state that was kept with the node")
        self._workspace.forget()

    def _init(self, *more: str) -> None:
        with self._provider_cache():
            ended = self._run(["init", *_QUIET, *more, *self._flags("init")], on_line=self._log_line)
        if ended.code:
            raise self._final_where_offline(failure_of_text("init", ended.code, f"{ended.stderr}\n{ended.stdout}"))

    def apply(self, *, refresh_only: bool = False) -> dict[str, int]:
        """Make the world as the module says, or only note how it is; return how much was added, changed, removed."""
        more = ["-refresh-only"] if refresh_only else self._flags("apply")
        return self._change("refresh" if refresh_only else "apply", ["apply", "-auto-approve", *more])

    def destroy(self) -> dict[str, int]:
        """Remove all that the state has."""
        return self._change("destroy", ["apply", "-destroy", "-auto-approve", *self._flags("destroy")])

    def adopt(self, address: str, id: str) -> None:
        """Take a resource that exists into the state."""
        command = ["import", *_QUIET, *self._lock(), *self._variables(), "--", address, id]
        ended = self._run(command, on_line=self._log_line)
        if not ended.code:
            return
        if _THERE_ALREADY not in ended.stderr:
            raise failure_of_text("import", ended.code, ended.stderr)
        # An earlier attempt, whose end nobody recorded, may have taken it.
        if not _has(self.show(), address, id):
            raise NonRecoverableError(f"import: the state has another {address} already")
        self._ctx.logger.info(f"the state has {address} already")

    def plan(self, *, refresh_only: bool = False) -> "Planned":
        """Work out what would be changed."""
        messages = self._messages("plan")
        file = self._workspace.folder / "groundplan.plan"
        more = ["-refresh-only"] if refresh_only else self._flags("plan")
        command = ["plan", "-json", f"-out={file}", *_QUIET, *self._lock(), *self._variables(), *more]
        ended = self._run(command, on_line=messages)
        if ended.code:
            raise messages.failure("plan", ended.code)
        return Planned(changes=self._show(str(file)), text=self._text(["show", "-no-color", str(file)]))

    def show(self) -> dict[str, Any]:
        """Return the state as `show -json` tells it: it alone says which values are sensitive."""
        return self._show()

    def _change(self, act: str, command: Sequence[str]) -> dict[str, int]:
        messages = self._messages(act)
        messages.grown = self._workspace.keep_now_and_then
        ended = self._run(
            [command[0], "-json", *_QUIET, *self._lock(), *self._variables(), *command[1:]], on_line=messages
        )
        self._workspace.keep()
        if self._ctx.cancelled():
            raise RecoverableError(
                f"{act}: the attempt was given up; {self._tool.name} was interrupted and its state is kept"
            )
        if ended.code:
            raise messages.failure(act, ended.code)
        return messages.summary

    def _show(self, *arguments: str) -> dict[str, Any]:
        text = self._text(["show", "-json", "-no-color", *arguments])
        found = json.loads(text) if text else {}
        return found if isinstance(found, dict) else {}

    def _text(self, command: Sequence[str]) -> str:
        ended = self._run(command)
        if ended.code:
            raise failure_of_text(" ".join(command[:2]), ended.code, ended.stderr)
        return ended.stdout

    def _messages(self, act: str) -> Messages:
        self._ctx.logger.debug(f"{self._tool}: {act}")
        return Messages(log=self._ctx.logger, is_logged=self._module.is_logged)

    def _log_line(self, stream: str, line: str) -> None:
        if line.strip():
            self._ctx.logger.debug(line)

    def _flags(self, command: str) -> list[str]:
        return list(self._module.flags.get(command, ()))

    def _lock(self) -> list[str]:
        given = self._flags("apply")
        return [] if any(flag.startswith("-lock") for flag in given) else [f"-lock-timeout={_LOCK_SECONDS}s"]

    def _variables(self) -> list[str]:
        return [f"-var-file={path}" for path in self._workspace.variable_files]

    def _final_where_offline(self, failure: OperationError) -> OperationError:
        if self._ctx.plugin.sandboxed and isinstance(failure, RecoverableError):
            return NonRecoverableError(
                f"{failure.message}. A sandboxed home has the sandbox's providers only", detail=failure.detail
            )
        return failure

    def _run(self, command: Sequence[str], *, on_line: LineSink | None = None) -> Completed:
        with span(f"terraform {command[0]}"), _short_folder() as temporary:
            return self._ctx.run(
                [str(self._tool.path), *command],
                environment=self._environment(temporary),
                folder=self._workspace.folder,
                on_line=on_line,
                shown=[self._tool.path, *map(Path, self._settings("shown", []))],
                writable=[self._ctx.lasting_folder, temporary],
                grace=_GRACE_SECONDS,
            )

    def _environment(self, temporary: Path) -> dict[str, str]:
        own = {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "TMPDIR": str(temporary)}
        if self._ctx.plugin.sandboxed:
            # The sandbox has the last word on where providers come from and whom they ask.
            return {**self._module.environment, **own, "HOME": str(temporary), **self._settings("environment", {})}
        cached = {
            "TF_PLUGIN_CACHE_DIR": str(_made(self._ctx.cache_folder / "providers")),
            "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1",
        }
        return {**cached, **self._module.environment, **own}

    def _settings(self, name: str, default: Any) -> Any:
        found: Data = self._ctx.plugin.settings.get(name, default)
        if self._ctx.plugin.sandboxed and not found:
            raise NonRecoverableError(
                "the sandbox of this home has no providers for terraform: groundplan sandbox down, then up"
            )
        return found

    @contextmanager
    def _provider_cache(self) -> Iterator[None]:
        """One at a time: the binary does not share its cache of providers with another."""
        if self._ctx.plugin.sandboxed:
            yield
            return
        with (self._ctx.cache_folder / "lock").open("w") as lock:
            while not _locked(lock.fileno()):
                self._ctx.sleep(0.5)
            yield


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """A plan: `changes` as `show -json` tells it, `text` as people read it (sensitive values left out)."""

    changes: dict[str, Any]
    text: str


def _has(shown: Mapping[str, Any], address: str, id: str) -> bool:
    """Whether a state, as `show -json` tells it, has a resource of that address and id."""
    modules: list[Mapping[str, Any]] = [(shown.get("values") or {}).get("root_module") or {}]
    while modules:
        module = modules.pop()
        modules += module.get("child_modules") or ()
        for resource in module.get("resources") or ():
            if resource["address"] == address:
                return bool(resource["values"].get("id") == id)
    return False


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@contextmanager
def _short_folder() -> Iterator[Path]:
    """A private folder with a short name: providers listen on Unix sockets in it, whose paths have 107 bytes."""
    folder = tempfile.mkdtemp(prefix="gp-", dir=os.path.realpath("/tmp"))  # noqa: S108 - made anew, mode 0700
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
