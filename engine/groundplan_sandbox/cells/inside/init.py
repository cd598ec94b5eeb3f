"""Process 1 of a cell: enters the namespaces, then spawns, listens and dials for the sandbox until its socket closes.

When the sandbox ends, however it ends, the control socket closes, process 1 exits and the kernel kills every process
of the pid namespace. It gives no answer of its own: what a request means is `cell.py`'s business.
"""

import contextlib
import json
import os
import resource
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from . import rootfs, spawn
from . import syscalls as sys_
from .plan import CellPlan, decode_plan

MESSAGE_BYTES = 256 * 1024
MAX_DESCRIPTORS = 8
_NAMESPACES = sys_.CLONE_NEWNS | sys_.CLONE_NEWPID | sys_.CLONE_NEWNET | sys_.CLONE_NEWUTS | sys_.CLONE_NEWIPC

Reply = tuple[dict[str, Any], list[int]]


def main(descriptor: int) -> NoReturn:
    """Run a cell. `descriptor` is its end of a SOCK_SEQPACKET pair, whose first message is the plan."""
    control = socket.socket(fileno=descriptor)
    plan = decode_plan(control.recv(MESSAGE_BYTES))
    try:
        if plan.confined:
            _enter_namespaces(plan, control)
        else:
            sys_.prctl(sys_.PR_SET_CHILD_SUBREAPER, 1)
        _limit(plan)
        listener = _listen_for_programs(plan.control_socket)
        root = os.open("/", os.O_PATH | os.O_DIRECTORY)
    except OSError as error:
        _send(control, {"failed": f"{error.strerror}{f' ({error.filename})' if error.filename else ''}"}, [])
        os._exit(1)
    _send(control, {"ready": True}, [root, listener.fileno()])
    listener.close()
    os.close(root)
    _serve(control, plan)


def _enter_namespaces(plan: CellPlan, control: socket.socket) -> None:
    """Return in process 1 of the new namespaces; the calling process waits there for its end and never returns."""
    if os.getuid() == 0:
        sys_.unshare(_NAMESPACES)
    else:
        own = os.getuid(), os.getgid()
        sys_.unshare(_NAMESPACES | sys_.CLONE_NEWUSER)
        spawn.map_user(own, (0, 0))
    child = os.fork()
    if child:
        control.close()
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    rootfs.bring_loopback_up()
    sys_.set_host_name(plan.hostname)
    rootfs.build(plan)
    _drop_privileges(plan)
    # After the change of user, which would clear it: if the waiting parent is killed, so is this machine.
    sys_.prctl(sys_.PR_SET_PDEATHSIG, signal.SIGKILL)
    # The machine's own root must not trace process 1, which speaks with the sandbox.
    sys_.prctl(sys_.PR_SET_DUMPABLE, 0)


def _drop_privileges(plan: CellPlan) -> None:
    """A second user namespace: it owns none of the mounts, so nothing in it can make one writable or take it away."""
    if plan.uid is not None and plan.gid is not None:
        os.setgroups([])
        os.setresgid(plan.gid, plan.gid, plan.gid)
        os.setresuid(plan.uid, plan.uid, plan.uid)
        # The change of user made /proc/self root's own; the maps are written there.
        sys_.prctl(sys_.PR_SET_DUMPABLE, 1)
    own = os.getuid(), os.getgid()
    sys_.unshare(sys_.CLONE_NEWUSER | sys_.CLONE_NEWNS)
    spawn.map_user(own, (0, 0))


def _limit(plan: CellPlan) -> None:
    wanted = (
        (resource.RLIMIT_NPROC, plan.limits.processes),
        (resource.RLIMIT_NOFILE, plan.limits.open_files),
        (resource.RLIMIT_FSIZE, plan.limits.file_bytes),
        (resource.RLIMIT_AS, plan.limits.memory_bytes),
        (resource.RLIMIT_CORE, 0),
    )
    for kind, value in wanted:
        _, hard = resource.getrlimit(kind)
        bounded = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bounded, bounded))


def _listen_for_programs(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if path:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        listener.bind(path)
        listener.listen(64)
    return listener


def _serve(control: socket.socket, plan: CellPlan) -> NoReturn:
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(wake_read, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if wake_read in ready:
            os.read(wake_read, 4096)
            _reap(control)
        if control.fileno() in ready and not _answer_one(control, plan):
            _end(plan)


def _answer_one(control: socket.socket, plan: CellPlan) -> bool:
    """Take one request and answer it. False when the sandbox is gone."""
    message, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, MAX_DESCRIPTORS)
    if not message:
        return False
    request = json.loads(message)
    try:
        reply, outgoing = _OPERATIONS[request["op"]](request, descriptors)
    except OSError as error:
        reply, outgoing = {"error": error.strerror or str(error), "errno": error.errno}, []
    except Exception:
        reply, outgoing = {"error": traceback.format_exc()}, []
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    _send(control, {"id": request["id"], **reply}, outgoing)
    for descriptor in outgoing:
        os.close(descriptor)
    return True


def _send(control: socket.socket, message: dict[str, Any], descriptors: list[int]) -> None:
    try:
        socket.send_fds(control, [json.dumps(message).encode()], descriptors)
    except (BrokenPipeError, ConnectionResetError):
        os._exit(0)


def _reap(control: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _send(control, {"exited": pid, "status": os.waitstatus_to_exitcode(status)}, [])


def _end(plan: CellPlan) -> NoReturn:
    if not plan.confined:
        spawn.kill_descendants()
    os._exit(0)


def _spawn(request: dict[str, Any], descriptors: list[int]) -> Reply:
    return spawn.spawn(request, descriptors)


def _signal(request: dict[str, Any], _: list[int]) -> Reply:
    target = -request["pid"] if request["group"] else request["pid"]
    os.kill(target, request["signal"])
    return {}, []


def _listen(request: dict[str, Any], _: list[int]) -> Reply:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((request["host"], request["port"]))
        listener.listen(64)
    except OSError:
        listener.close()
        raise
    port = listener.getsockname()[1]
    return {"port": port}, [listener.detach()]


def _dial(request: dict[str, Any], _: list[int]) -> Reply:
    connection = socket.create_connection((request["host"], request["port"]), timeout=5)
    connection.settimeout(None)
    return {}, [connection.detach()]


_OPERATIONS: dict[str, Callable[[dict[str, Any], list[int]], Reply]] = {
    "spawn": _spawn,
    "signal": _signal,
    "listen": _listen,
    "dial": _dial,
}

if __name__ == "__main__":
    main(int(sys.argv[1]))
