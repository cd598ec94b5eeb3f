"""What the home says about where operations run: its binding to the sandbox, settings of plugins, places of files.

Written for `runtime.surroundings`. The binding is read again when its file changes: machines of the sandbox come and
go while an execution runs.
"""

import fcntl
import ipaddress
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from groundplan.model.blueprint import Blueprint
from groundplan.model.deployment import Deployment
from groundplan.model.ids import BlueprintId, Digest
from groundplan.model.values import Data
from groundplan.sdk.errors import NonRecoverableError
from groundplan.service.home import Home

UNCONFINED_VARIABLE: Final = "GROUNDPLAN_UNCONFINED"
_FRESH_SECONDS: Final = 0.05
"""How long it is taken as known whether the home is bound; that a bound home's sandbox lives is looked at each time."""
DOWN: Final = "The sandbox of this home is down: groundplan sandbox up"


class HomeSettings:
    """Implements `runtime.surroundings.Surroundings`."""

    def __init__(
        self,
        home: Home,
        environment: Mapping[str, str] = os.environ,
        *,
        blueprint_folder: Callable[[Digest], Path] | None = None,
        imported_folder: Callable[[BlueprintId], Path | None] = lambda _: None,
    ) -> None:
        """Read the settings of a home.

        Args:
            blueprint_folder: gives the files of a blueprint; default: the folder that the home has for them.
            imported_folder: gives the files of an uploaded blueprint by its id.
        """
        self._home = home
        self._blueprint_folder = blueprint_folder or home.blueprint_folder
        self._imported_folder = imported_folder
        # Asked for by every attempt, so it is put together once.
        self._binding_path = str(home.binding)
        self._unconfined = environment.get(UNCONFINED_VARIABLE) == "1"
        self._bound, self._look_again = False, 0.0
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] = (0, 0)
        self._sections: Mapping[str, Any] = {}

    @property
    def sandboxed(self) -> bool:
        # Thousands of attempts a second ask; each look at the disk would let another thread in.
        clock = time.monotonic()
        if clock >= self._look_again:
            self._bound = os.path.exists(self._binding_path)
            self._look_again = clock + _FRESH_SECONDS
        return self._bound

    @property
    def unconfined(self) -> bool:
        return self._unconfined

    @property
    def scratch(self) -> Path:
        return self._home.scratch

    @property
    def lasting(self) -> Path:
        return self._home.lasting

    @property
    def cache(self) -> Path:
        return self._home.cache

    @property
    def hidden(self) -> Sequence[Path]:
        return (self._home.path,)

    def check(self) -> None:
        if self.sandboxed and not sandbox_lives(self._home):
            raise NonRecoverableError(DOWN)

    def settings(self, plugin: str) -> Mapping[str, Data]:
        section = self._binding().get(plugin, {})
        return section if isinstance(section, dict) else {}

    def folders(self, deployment: Deployment) -> Sequence[Path]:
        return (self._home.deployment_folder(deployment.id), self._blueprint_folder(deployment.digest))

    def imported(self, blueprint: Blueprint) -> Mapping[str, Path]:
        named = blueprint.namespaces_mapping.items()
        found = {namespace: self._imported_folder(BlueprintId(name)) for namespace, name in named}
        return {namespace: folder for namespace, folder in found.items() if folder is not None}

    def _binding(self) -> Mapping[str, Any]:
        try:
            found = os.stat(self._binding_path)
        except FileNotFoundError:
            return {}
        stamp = (found.st_mtime_ns, found.st_ino)
        with self._lock:
            if stamp != self._stamp:
                self._sections = _read(self._home.binding)
                self._stamp = stamp
            return self._sections


def sandbox_lives(home: Home) -> bool:
    """Whether the sandbox of a home lives: its process holds a lock as long as it does."""
    try:
        descriptor = os.open(home.sandbox_lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _read(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        document = None
    if not isinstance(document, dict):
        raise NonRecoverableError(f"{path} is damaged: groundplan sandbox up writes it anew.")
    for address in _addresses(document):
        if not _is_loopback(address):
            raise NonRecoverableError(
                f"{path} names {address}, which is not on this machine: a sandbox serves on loopback addresses only. "
                "groundplan sandbox up writes it anew."
            )
    return document


def _addresses(data: Data) -> Iterator[str]:
    """Yield what operations would connect to: each URL, and each machine by its address."""
    if isinstance(data, dict):
        hosts = data.get("hosts")
        yield from hosts if isinstance(hosts, dict) else ()
        for item in data.values():
            yield from _addresses(item)
    elif isinstance(data, list):
        for item in data:
            yield from _addresses(item)
    elif isinstance(data, str) and "://" in data:
        yield data


def _is_loopback(address: str) -> bool:
    try:
        host = urlsplit(address).hostname if "://" in address else address
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
