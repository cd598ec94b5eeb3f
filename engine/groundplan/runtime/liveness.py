"""Whether the driver of a lease still lives, so that an execution whose process was killed can be resumed at once.

On the same host the process is looked at; of another host only the heartbeat tells.
"""

import os
import socket
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from groundplan.model.execution import Lease

LEASE_SECONDS: Final = 15.0
"""A lease whose heartbeat is older than this is dead, wherever its driver was."""


def driver_name() -> str:
    """Return the name under which this process holds leases: host, process id, and when the process began."""
    return f"{socket.gethostname()}:{os.getpid()}:{_beginning(os.getpid()) or 0}"


def shown_driver(driver: str) -> str:
    """Return host and process id of a driver's name, for people."""
    host, pid, _ = driver.rsplit(":", 2)
    return f"{host}, process {pid}"


def is_alive(lease: Lease, now: datetime) -> bool:
    """Whether the driver of a lease still drives."""
    return lives(lease.driver, lease.heartbeat, now)


def lives(driver: str, heartbeat: datetime, now: datetime) -> bool:
    """Whether a process lives that had this name (see `driver_name`) and wrote its last heartbeat then.

    Without a name only the heartbeat counts: somebody is about to be the driver.
    """
    if now - heartbeat > timedelta(seconds=LEASE_SECONDS):
        return False
    if not driver:
        return True
    host, pid, began = driver.rsplit(":", 2)
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    found = _beginning(int(pid))
    # An id that was given to another process since, or a process that is dead and only waits to be reaped.
    return found is None or str(found) == began


def _beginning(pid: int) -> int | None:
    """Return when a process began, in ticks since the system's start; 0 for a dead one, None where nobody can tell.

    See proc_pid_stat(5): fields 3 (state) and 22 (starttime), counted after the name in parentheses.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return 0 if fields[0] in "ZX" else int(fields[19])
