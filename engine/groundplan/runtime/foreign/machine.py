"""What one attempt gets of the machine: a folder, files of its blueprint, child processes, a served context.

The one way into this room for `runtime.attempt`. It decides the environment and the confinement of children; how a
child is run and ended is `process`' work, what it may say to the engine is `commands`'.
"""

import fcntl
import os
import pwd
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Final, Self

from groundplan.runtime.foreign import programs
from groundplan.runtime.foreign.confinement import Confinement
from groundplan.runtime.foreign.process import run_process
from groundplan.runtime.foreign.proxy import HttpContextProxy
from groundplan.runtime.foreign.resources import FolderResources
from groundplan.runtime.foreign.supervisor import Plan
from groundplan.sdk.context import Completed, ContextProxy, LineSink, OperationContext, Resources
from groundplan.sdk.errors import NonRecoverableError

_PREFIX: Final = "groundplan-attempt-"
_YOUNG_SECONDS: Final = 60.0
_SEARCH_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PRIVATE_PLACES: Final = (
    *("/root", "/home", "/run", "/var/run", "/media", "/mnt", "/var/spool", "/var/mail", "/etc/ssh"),
    *("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-"),
)


class Machine:
    """One attempt's share of the machine; leaving the `with` block removes its folder.

    Args:
        scratch: where the attempt's folder is made; by default the system's temporary folder.
        resource_folders: where files of the deployment and its blueprint are looked for, in this order (spec 7.1).
        namespaces: folder of the imported blueprint for each namespace.
        sandboxed: the home is bound to the sandbox: children run confined.
        unconfined: they do not even then.
        hidden: further folders that confined children must not see, for example GROUNDPLAN_HOME.
        lasting: the folder of the instance, made at first use; it stays.
        cache: the folder of the plugin, likewise.
    """

    def __init__(
        self,
        *,
        scratch: Path | None = None,
        resource_folders: Sequence[Path] = (),
        namespaces: Mapping[str, Path] | None = None,
        sandboxed: bool = False,
        unconfined: bool = False,
        hidden: Sequence[Path] = (),
        lasting: Path | None = None,
        cache: Path | None = None,
    ) -> None:
        self._scratch = scratch
        self._resource_folders = tuple(resource_folders)
        self._namespaces = dict(namespaces or {})
        self._is_confined = sandboxed and not unconfined
        self._hidden = tuple(hidden)
        self._lasting = lasting
        self._cache = cache
        self._own: Path | None = None
        self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the attempt's folder."""
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)
            os.close(self._lock)
            self._own = None

    @property
    def folder(self) -> Path:
        """The attempt's folder, made at first use; mode 0700."""
        if self._own is None:
            self._own = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._scratch)).resolve()
            self._lock = os.open(self._own, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self._own

    @property
    def lasting_folder(self) -> Path:
        """The folder of the instance, on this machine."""
        return _made(self._lasting)

    @property
    def cache_folder(self) -> Path:
        """The folder of the plugin, on this machine."""
        return _made(self._cache)

    def resources(self, context: Callable[[], OperationContext]) -> Resources:
        """Return the files of the deployment and its blueprint; `context` gives what templates see as `ctx`."""
        return FolderResources(self._resource_folders, context, self._namespaces)

    def serve(self, ctx: OperationContext) -> AbstractContextManager[ContextProxy]:
        """Return a block in which `ctx` is served to scripts."""
        return HttpContextProxy(ctx)

    def run(
        self,
        command: Sequence[str],
        *,
        cancelled: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        stdin: str | None = None,
        timeout: float | None = None,
        on_line: LineSink | None = None,
        shown: Sequence[Path] = (),
        writable: Sequence[Path] = (),
        grace: float = 0,
        passed: socket.socket | None = None,
    ) -> Completed:
        """Run a child process (see `OperationContext.run`); it and its process group end when `cancelled` says so.

        `passed` becomes the child's, under the same number, and is closed here.

        Raises:
            NonRecoverableError: it cannot be started, or the kernel refuses the confinement.
        """
        if not command:
            raise NonRecoverableError("there is no program to run")
        plan = Plan(
            command=list(command),
            environment=self._environment(environment or {}),
            folder=str(folder or self.folder),
            confinement=self._confinement(shown, writable) if self._is_confined else None,
            grace=grace,
            passed=-1 if passed is None else passed.fileno(),
        )
        return run_process(plan, cancelled=cancelled, stdin=stdin, timeout=timeout, on_line=on_line, passed=passed)

    def _environment(self, declared: Mapping[str, str]) -> dict[str, str]:
        """Return a child's environment: made here, nothing of the engine's own."""
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        return {
            "HOME": str(self.folder) if self._is_confined else _home(),
            "LANG": "C.UTF-8",
            "TMPDIR": str(temporary),
            "CTX_PYTHON": sys.executable,
            "PYTHONUNBUFFERED": "1",
            **declared,
            "PATH": f"{self._programs()}:{declared.get('PATH', _SEARCH_PATH)}",
            "PYTHONPATH": ":".join(filter(None, [str(programs.HERE), declared.get("PYTHONPATH")])),
        }

    def _programs(self) -> Path:
        """Return the folder on a child's PATH in which `ctx` stands."""
        folder = self.folder / "bin"
        if not folder.exists():
            folder.mkdir()
            (folder / "ctx").symlink_to(programs.CLIENT)
        return folder

    def _confinement(self, more_shown: Sequence[Path], more_writable: Sequence[Path]) -> Confinement:
        interpreter = {sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.path.realpath(sys.executable))}
        shown = {*interpreter, str(programs.HERE), *map(_real, self._resource_folders)}
        shown.update(map(_real, (*self._namespaces.values(), *more_shown)))
        hidden = {*_PRIVATE_PLACES, _home(), *map(_real, self._hidden)}
        return Confinement(
            hidden=sorted(hidden), shown=sorted(shown), writable=[str(self.folder), *map(_real, more_writable)]
        )


def sweep(scratch: Path | None = None) -> int:
    """Remove the folders of attempts whose engine was killed, and return their number; to be called when one starts.

    An attempt that lives holds a lock on its folder; one younger than a minute may not have got to it yet.
    """
    removed = 0
    for folder in Path(scratch or tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(lock).st_uid == os.getuid() and time.time() - os.fstat(lock).st_mtime > _YOUNG_SECONDS:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
                    removed += 1
            finally:
                os.close(lock)
    return removed


def _home() -> str:
    """Return the home folder that the system has on record for this user, not what HOME says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return "/"


def _made(folder: Path | None) -> Path:
    if folder is None:
        raise NonRecoverableError("nothing is kept on this machine for the operation")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _real(path: Path) -> str:
    return str(path.resolve())
