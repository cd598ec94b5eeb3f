"""The sandbox's own process: puts the emulated world together, serves it until it is told to stop, takes it down again.

Run as `python -m groundplan_sandbox.daemon` by `launch`, or in the foreground by the command. Nothing of the emulated
world outlives it but its credentials. The heavy imports of the sandbox happen here and nowhere else.
"""

import argparse
import json
import logging
import os
import secrets
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import msgspec

from groundplan_sandbox.aws.faults import Rule
from groundplan_sandbox.aws.lifecycle import Instances
from groundplan_sandbox.aws.server import AwsServer
from groundplan_sandbox.binding import (
    AlreadyRunningError,
    Binding,
    Control,
    DamagedBindingError,
    Endpoint,
    SshAddress,
    SshMap,
    hold_lock,
    read_binding,
    write_binding,
)
from groundplan_sandbox.cells.confinement import Confinement
from groundplan_sandbox.control import ControlServer
from groundplan_sandbox.control_plane.cluster import RealCluster
from groundplan_sandbox.control_plane.programs import ControlPlanePrograms, ProgramsMissingError, find_programs
from groundplan_sandbox.credentials import UnreadableCredentialsError, load_or_create
from groundplan_sandbox.home import Home
from groundplan_sandbox.kubernetes.cluster import KubernetesCluster
from groundplan_sandbox.machines.host import MachineHost
from groundplan_sandbox.terraform.mirror import lay_mirror

log = logging.getLogger(__name__)

HOME_CHECK = 2.0
"""Seconds between looks whether the home is still there."""


class Sandbox:
    """A running sandbox of `home`. `delay`: seconds that each state change of an emulated resource takes at least.

    `control_plane`: the programs that serve its clusters; the emulated API does without them.
    """

    def __init__(
        self, home: Home, *, delay: float, confinement: Confinement, control_plane: ControlPlanePrograms | None = None
    ) -> None:
        self._home = home
        self._control_plane = control_plane
        self._delay = delay
        self._confinement = confinement
        self._started = time.time()
        self._writing = threading.Lock()
        self._binding: Binding | None = None
        previous = _previous(home)
        # Machines of a sandbox that was killed: its cloud is forgotten, so nobody could ever end them.
        shutil.rmtree(home.machines, ignore_errors=True)
        shutil.rmtree(home.servers, ignore_errors=True)
        make_cluster = KubernetesCluster if control_plane is None else partial(RealCluster, control_plane)
        self._machines = MachineHost(home.machines, confinement, make_cluster=make_cluster)
        self._instances = Instances(self._machines, delay=delay, changed=self._publish)
        self._aws = AwsServer(
            load_or_create(home),
            self._instances,
            folder=home.servers,
            confined=confinement is Confinement.NAMESPACES,
            make_cluster=make_cluster,
        )
        self._url = self._aws.start(urlsplit(previous.aws.endpoint_url).port if previous else None)
        token = secrets.token_urlsafe(24)
        self._control = ControlServer(
            token,
            {
                "status": self.status,
                "reset": self.reset,
                "set-fault": self.set_fault,
                "clear-faults": self.clear_faults,
            },
        )
        self._binding = Binding(
            pid=os.getpid(),
            started=self._started,
            aws=Endpoint(endpoint_url=self._url),
            terraform=lay_mirror(home.terraform, self._url),
            control=Control(port=self._control.port, token=token),
        )
        self._publish()

    def status(self) -> dict[str, Any]:
        """What is there, as JSON; the shape of `groundplan sandbox status --json`."""
        return {
            "running": True,
            "home": str(self._home.root),
            "pid": os.getpid(),
            "uptime_seconds": round(time.time() - self._started, 1),
            "services": {"aws": self._url},
            "kubernetes": "emulated" if self._control_plane is None else str(self._control_plane.folder),
            "confinement": self._confinement.value,
            "state_delay": self._delay,
            "refusal": self._machines.refusal,
            "machines": self._instances.listing(),
            "faults": self._aws.faults.listing(),
        }

    def reset(self) -> dict[str, Any]:
        """Forget every resource and end every machine, without a restart."""
        machines = len(self._instances.listing())
        self._aws.reset()
        return {"machines_ended": machines}

    def set_fault(self, **rule: Any) -> dict[str, Any]:
        """Put a rule in force (`aws.faults.Rule` as JSON); `refused` says why not."""
        try:
            self._aws.faults.add(msgspec.convert(rule, Rule))
        except (msgspec.ValidationError, ValueError) as error:
            return {"refused": str(error)}
        return {}

    def clear_faults(self) -> dict[str, Any]:
        """Take every rule back."""
        return {"cleared": self._aws.faults.clear()}

    def close(self) -> None:
        """Take everything down; sandbox.json stays as it is."""
        self._control.close()
        with self._writing:
            self._binding = None
        self._aws.stop()
        self._machines.close()
        shutil.rmtree(self._home.machines, ignore_errors=True)

    def _publish(self) -> None:
        """Write where SSH answers now, before anybody is told that it does."""
        with self._writing:
            if self._binding is None:
                return
            hosts = {
                address: SshAddress(port=host.port, host_key=host.host_key)
                for address, host in self._instances.hosts().items()
            }
            self._binding = msgspec.structs.replace(self._binding, ssh=SshMap(hosts=hosts))
            write_binding(self._home, self._binding)


def serve(
    home: Home,
    *,
    delay: float,
    confined: bool,
    report: Callable[[dict[str, Any]], None],
    control_plane: Path | None = None,
) -> int:
    """Serve until SIGINT or SIGTERM; gives the exit code. control_plane: folder of the programs of a real one.

    `report` is called once: `{"ready": status}`, `{"already": true}` or `{"error": words, "exit_code": code}`.
    """
    orders: SimpleQueue[int] = SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: orders.put(received))
    try:
        lock = hold_lock(home)
    except AlreadyRunningError:
        report({"already": True})
        return 0
    except OSError as error:
        report({"error": f"{home.folder}: {error.strerror}", "exit_code": 2})
        return 2
    os.truncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    # The kernel drops the lock when the process has ended, so whoever sees it free knows that nothing of ours runs.
    sandbox, code = _build(home, delay, confined, control_plane, report)
    if sandbox is not None:
        try:
            _wait_for_the_end(home, lock, orders)
        finally:
            sandbox.close()
    return code


def _build(
    home: Home,
    delay: float,
    confined: bool,
    control_plane: Path | None,
    report: Callable[[dict[str, Any]], None],
) -> tuple[Sandbox | None, int]:
    # asyncssh logs the commands of a session, and a blueprint's commands carry its secrets.
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    try:
        sandbox = Sandbox(
            home,
            delay=delay,
            confinement=Confinement.NAMESPACES if confined else Confinement.NONE,
            control_plane=None if control_plane is None else find_programs(control_plane),
        )
    except (UnreadableCredentialsError, ProgramsMissingError) as error:
        report({"error": str(error), "exit_code": 2})
        return None, 2
    except OSError as error:
        log.exception("the sandbox does not start")
        # A file of the home is the caller's to mend; a port or a process is not.
        code = 2 if str(error.filename or "").startswith(str(home.root)) else 1
        report({"error": f"{error.filename or 'the sandbox'}: {error.strerror or error}", "exit_code": code})
        return None, code
    report({"ready": sandbox.status()})
    return sandbox, 0


def _wait_for_the_end(home: Home, lock: int, orders: "SimpleQueue[int]") -> None:
    """Until a signal comes, or the home is gone: then no command could reach this process any more."""
    while True:
        try:
            log.info("stopping on signal %s", orders.get(timeout=HOME_CHECK))
            return
        except Empty:
            if not _is_file(home.lock, lock):
                log.warning("%s is gone", home.root)
                return


def _is_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _previous(home: Home) -> Binding | None:
    try:
        return read_binding(home)
    except DamagedBindingError as error:
        log.warning("%s", error)
        return None


def main() -> int:
    """The background process: its readiness goes to the pipe that `launch` gave it, its log to standard error."""
    parser = argparse.ArgumentParser(prog="groundplan-sandbox")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--ready-fd", type=int, required=True)
    parser.add_argument("--state-delay", type=float, required=True)
    parser.add_argument("--unconfined", action="store_true")
    parser.add_argument("--control-plane", type=Path)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    def report(message: dict[str, Any]) -> None:
        with os.fdopen(options.ready_fd, "w") as pipe:
            json.dump(message, pipe)

    home = Home(root=options.home)
    return serve(
        home,
        delay=options.state_delay,
        confined=not options.unconfined,
        report=report,
        control_plane=options.control_plane,
    )


if __name__ == "__main__":
    sys.exit(main())
