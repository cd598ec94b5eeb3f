"""systemctl, postgresql-setup and docker: the units that a machine can have, and how each is started.

What is active and what is enabled are files in /var/lib/groundplan; PostgreSQL is asked of the sandbox. No unit file is
read. Two verbs are the sandbox's: `default` boots the machine, `resume` brings back what the sandbox's end stopped.
"""

import os
import re
import shlex
import sys

from .machine import Machine, ProgramError
from .packages import installed

_PACKAGES_OF = {
    "docker": {"docker", "docker-ce", "docker.io"},
    "containerd": {"docker-ce", "docker.io", "containerd.io"},
    "postgresql": {"postgresql-server"},
}
_ENABLED = "/var/lib/groundplan/enabled"
_ACTIVE = "/var/lib/groundplan/active"
_NOT_FOUND, _NOT_ACTIVE, _USAGE = 5, 3, 2
_DATA = "/var/lib/pgsql/data"


def systemctl(machine: Machine, arguments: list[str]) -> int:
    """`systemctl VERB UNIT...`; 5 for a unit that is not there, 3 for `status` of one that is not active."""
    words = [argument for argument in arguments if not argument.startswith("-")]
    if not words:
        raise ProgramError("which verb?", _USAGE)
    verb, units = words[0], [_unit(machine, name) for name in words[1:]]
    if verb in {"daemon-reload", "daemon-reexec", "reset-failed"}:
        return 0
    if verb in {"default", "resume"}:
        return _boot(machine, resume=verb == "resume")
    if verb not in _VERBS:
        raise ProgramError(f"the sandbox does not know '{verb}'", _USAGE)
    if verb == "enable" and "--now" in arguments:
        for unit in units:
            start(machine, unit)
    return max((_VERBS[verb](machine, unit) for unit in units), default=0)


def _boot(machine: Machine, *, resume: bool) -> int:
    active = _names(machine, _ACTIVE)
    for unit in active:
        _mark(machine, _ACTIVE, unit, present=False)
    for unit in active if resume else _names(machine, _ENABLED):
        start(machine, unit)
    return 0


def start(machine: Machine, unit: str) -> int:
    """Start a unit. Raises ProgramError."""
    if unit == "postgresql":
        _start_postgresql(machine)
    _mark(machine, _ACTIVE, unit, present=True)
    return 0


def stop(machine: Machine, unit: str) -> int:
    """Stop a unit. Raises ProgramError."""
    if unit == "postgresql":
        machine.ask({"op": "postgresql", "action": "stop"})
    _mark(machine, _ACTIVE, unit, present=False)
    return 0


def is_active(machine: Machine, unit: str) -> bool:
    """Whether the unit runs now."""
    if unit == "postgresql":
        return bool(machine.ask({"op": "postgresql", "action": "status"})["running"])
    return unit in _names(machine, _ACTIVE)


def postgresql_setup(machine: Machine, arguments: list[str]) -> int:
    """`postgresql-setup initdb` (`--initdb`), with the options of PGSETUP_INITDB_OPTIONS."""
    if not any(argument in {"initdb", "--initdb"} for argument in arguments):
        raise ProgramError("usage: postgresql-setup initdb")
    _unit(machine, "postgresql")
    data = machine.path(_DATA)
    if data.exists() and any(data.iterdir()):
        raise ProgramError(f"Data directory {_DATA} is not empty!")
    machine.path("/var/lib/pgsql").mkdir(parents=True, exist_ok=True)
    options = shlex.split(os.environ.get("PGSETUP_INITDB_OPTIONS", ""))
    machine.ask({"op": "postgresql", "action": "initialize", "options": options, "folder": os.getcwd()})
    sys.stdout.write("Initializing database ... OK\n")
    return 0


def docker(machine: Machine, arguments: list[str]) -> int:
    """`docker version|info|ps|images`, while its unit is active; the sandbox runs no containers and says so."""
    verb = arguments[0] if arguments else ""
    if verb in {"--version", "-v"}:
        sys.stdout.write("Docker version 27.0.0, build sandbox\n")
        return 0
    if not is_active(machine, "docker"):
        raise ProgramError("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it running?")
    if verb == "ps":
        sys.stdout.write("CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n")
    elif verb == "images":
        sys.stdout.write("REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n")
    elif verb in {"version", "info"}:
        sys.stdout.write("Server:\n Version: 27.0.0 (sandbox: runs no containers)\n")
    else:
        raise ProgramError(f"the sandbox runs no containers ('docker {verb}')")
    return 0


def _start_postgresql(machine: Machine) -> None:
    if not machine.path(f"{_DATA}/PG_VERSION").exists():
        raise ProgramError('Directory "/var/lib/pgsql/data" is missing or empty: use "postgresql-setup initdb"')
    machine.path("/run/postgresql").mkdir(parents=True, exist_ok=True)
    machine.ask({"op": "postgresql", "action": "start"})


def _status(machine: Machine, unit: str) -> int:
    active = is_active(machine, unit)
    sys.stdout.write(f"● {unit}.service\n     Active: {'active (running)' if active else 'inactive (dead)'}\n")
    return 0 if active else _NOT_ACTIVE


def _is_active(machine: Machine, unit: str) -> int:
    active = is_active(machine, unit)
    sys.stdout.write("active\n" if active else "inactive\n")
    return 0 if active else _NOT_ACTIVE


def _is_enabled(machine: Machine, unit: str) -> int:
    enabled = unit in _names(machine, _ENABLED)
    sys.stdout.write("enabled\n" if enabled else "disabled\n")
    return 0 if enabled else 1


def _enable(machine: Machine, unit: str) -> int:
    _mark(machine, _ENABLED, unit, present=True)
    return 0


def _disable(machine: Machine, unit: str) -> int:
    _mark(machine, _ENABLED, unit, present=False)
    return 0


def _restart(machine: Machine, unit: str) -> int:
    stop(machine, unit)
    return start(machine, unit)


_VERBS = {
    "disable": _disable,
    "enable": _enable,
    "is-active": _is_active,
    "is-enabled": _is_enabled,
    "reload": lambda machine, unit: 0,
    "restart": _restart,
    "start": start,
    "status": _status,
    "stop": stop,
}


def _unit(machine: Machine, name: str) -> str:
    unit = re.sub(r"-\d+$", "", name.removesuffix(".service"))
    if not _PACKAGES_OF.get(unit, set()) & installed(machine):
        raise ProgramError(f"Unit {name.removesuffix('.service')}.service not found.", _NOT_FOUND)
    return unit


def _names(machine: Machine, folder: str) -> list[str]:
    path = machine.path(folder)
    return sorted(entry.name for entry in path.iterdir()) if path.exists() else []


def _mark(machine: Machine, folder: str, unit: str, *, present: bool) -> None:
    path = machine.path(folder)
    path.mkdir(parents=True, exist_ok=True)
    if present:
        (path / unit).touch()
    else:
        (path / unit).unlink(missing_ok=True)
