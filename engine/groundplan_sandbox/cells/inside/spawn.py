"""Starts one process of a cell, with the descriptors, environment and user that the sandbox asked for.

Between fork and exec it calls nothing that could block; a program that cannot be run says so on its standard error
and ends with 127 or 126, as a shell would.
"""

import fcntl
import os
import signal
import struct
import sys
import termios
import time
from typing import Any, NoReturn

from . import syscalls as sys_

_KILL_SECONDS = 5.0


def map_user(outside: tuple[int, int], inside: tuple[int, int]) -> None:
    """Map one user and one group into the user namespace that the caller has entered (user_namespaces(7))."""
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{inside[0]} {outside[0]} 1")
    _write("/proc/self/gid_map", f"{inside[1]} {outside[1]} 1")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def spawn(request: dict[str, Any], descriptors: list[int]) -> tuple[dict[str, Any], list[int]]:
    """Start `argv` in `cwd` with `env`, in a session of its own.

    Three descriptors become its standard streams; with `pty` ({rows, columns}) there are none, and the master of a new
    terminal is handed back. `user` and `group`, when not null, are the ids that the process has.
    """
    terminal = request.get("pty")
    master, streams = _open_terminal(terminal) if terminal else (None, descriptors[:3])
    pid = os.fork()
    if pid == 0:
        _become(request, streams, controlling=master is not None)
    if master is None:
        return {"pid": pid}, []
    os.close(streams[0])
    return {"pid": pid}, [master]


def _open_terminal(terminal: dict[str, int]) -> tuple[int, list[int]]:
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", terminal["rows"], terminal["columns"], 0, 0))
    return master, [slave, slave, slave]


def _become(request: dict[str, Any], streams: list[int], *, controlling: bool) -> NoReturn:
    try:
        os.setsid()
        # Above 2 first: a stream may have come in as 0, 1 or 2.
        held = [fcntl.fcntl(stream, fcntl.F_DUPFD_CLOEXEC, 3) for stream in streams]
        for number, stream in enumerate(held):
            os.dup2(stream, number)
        if controlling:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        _reset_signals()
        if request.get("user") is not None:
            _change_user(request["user"], request["user"] if request["group"] is None else request["group"])
        os.chdir(request["cwd"])
        os.execvpe(request["argv"][0], request["argv"], request["env"])  # noqa: S606 - the request is the command
    except OSError as error:
        sys.stderr.write(f"{request['argv'][0]}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)
    finally:
        os._exit(125)


def _reset_signals() -> None:
    # Python ignores some, with which a program would miss a closed pipe; and who started the sandbox by nohup or in the
    # background of a shell has it ignore others, which a login is not to inherit.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)


def _change_user(user: int, group: int) -> None:
    if os.getuid() == 0 and _in_user_namespace():
        # Inherited from process 1, whose maps nobody may write.
        sys_.prctl(sys_.PR_SET_DUMPABLE, 1)
        own = os.getuid(), os.getgid()
        sys_.unshare(sys_.CLONE_NEWUSER)
        map_user(own, (user, group))
    elif os.getuid() == 0:
        os.setgroups([])
        os.setresgid(group, group, group)
        sys_.prctl(sys_.PR_SET_KEEPCAPS, 1)
        os.setresuid(user, user, user)
        # Without namespaces the cell's folders may lie below one that only root may enter, such as /root.
        sys_.keep_only_capability(sys_.CAP_DAC_OVERRIDE)


def _in_user_namespace() -> bool:
    with open("/proc/self/uid_map", encoding="ascii") as uid_map:
        return uid_map.read().split() != ["0", "0", "4294967295"]


def kill_descendants() -> None:
    """Kill whatever is left below this process (a subreaper): what a pid namespace does by itself."""
    deadline = time.monotonic() + _KILL_SECONDS
    while time.monotonic() < deadline:
        children = _children()
        if not children:
            return
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)


def _children() -> list[int]:
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as listing:
        return [int(pid) for pid in listing.read().split()]
