"""One cluster whose API is that of the real programs: puts certificates, files and processes together, awaits them.

It has the shape of the emulated cluster (`kubernetes.door`). Its folder keeps etcd's data, keys and logs; the programs
end with the sandbox, however it ends (`keeper`).
"""

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from groundplan_sandbox.control_plane import commands
from groundplan_sandbox.control_plane.administration import Administration
from groundplan_sandbox.control_plane.commands import Plan
from groundplan_sandbox.control_plane.processes import Processes, ProgramEndedError
from groundplan_sandbox.control_plane.programs import ControlPlanePrograms
from groundplan_sandbox.control_plane.reviews import TokenReviews
from groundplan_sandbox.kubernetes.authentication import Webhook
from groundplan_sandbox.kubernetes.bootstrap import NODE_NAME, NODE_ROLE
from groundplan_sandbox.kubernetes.certificates import signing_pair
from groundplan_sandbox.kubernetes.door import ADMIN, Cluster, public_address, require_loopback

START_TIMEOUT = 90.0
"""Seconds: a start takes about five, and more where several clusters and machines start at once."""

_POLL = 0.1
_ATTEMPTS = 3


class RealCluster(Cluster):
    """A cluster served by kube-apiserver and its companions."""

    def __init__(
        self,
        programs: ControlPlanePrograms,
        name: str,
        folder: Path,
        *,
        own_node: bool = True,
        webhook: Webhook | None = None,
    ) -> None:
        super().__init__(name, folder, own_node=own_node, webhook=webhook)
        self._programs = programs
        self._processes: Processes | None = None
        self._reviews: TokenReviews | None = None
        self._administration: Administration | None = None

    @property
    def running(self) -> bool:
        return self._processes is not None and self._processes.running

    def start(self, listen: Sequence[tuple[str, int]], certificate_names: Sequence[str]) -> list[tuple[str, int]]:
        """As `Cluster.start`, on one address: kube-apiserver has no more than one. Blocks for seconds."""
        if self.running:
            raise RuntimeError(f"cluster {self.name} is running")
        if len(listen) != 1:
            raise ValueError("a real control plane serves on one address")
        require_loopback(listen)
        self.stop()
        for attempt in range(_ATTEMPTS):
            plan = self._plan(*listen[0], certificate_names)
            try:
                self._launch(plan)
            except BaseException as error:
                self.stop()
                if _lost_a_port(error) and attempt < _ATTEMPTS - 1:
                    continue
                raise
            break
        return [(plan.address, plan.port)]

    def stop(self) -> None:
        if self._processes is not None:
            self._processes.end()
        if self._reviews is not None:
            self._reviews.close()
        self._processes = self._reviews = self._administration = None

    def add_node(self, name: str, address: str, labels: Mapping[str, str]) -> None:
        self._admin().ensure_node(name, address, labels)

    def remove_node(self, name: str) -> None:
        self._admin().remove_node(name)

    def _plan(self, address: str, port: int, certificate_names: Sequence[str]) -> Plan:
        names = [address, *certificate_names, "localhost", "127.0.0.1", commands.SERVICE_ADDRESS]
        names += ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
        # The programs take numbers only: a port is tried here, and may be lost again before they have it.
        serving, etcd, peer = _free_ports((address, port), ("127.0.0.1", 0), ("127.0.0.1", 0))
        return Plan(
            folder=self._folder,
            address=address,
            port=serving,
            etcd_port=etcd,
            peer_port=peer,
            node_address=public_address([*certificate_names, address]),
            authority=self._authority.certificate,
            server=self._authority.issue_server(names),
            client=self._authority.issue_client(ADMIN, ["system:masters"]),
            accounts=signing_pair(self._folder),
        )

    def _launch(self, plan: Plan) -> None:
        self._reviews = TokenReviews(self._tokens, plan.server, plan.authority)
        for path, text in commands.files(plan, self._reviews.url).items():
            path.write_text(text, encoding="utf-8")
        processes = self._processes = Processes(self._folder / "logs")
        administration = self._administration = Administration(plan)
        deadline = time.monotonic() + START_TIMEOUT
        processes.start("etcd", commands.etcd(self._programs, plan))
        processes.start("kube-apiserver", commands.api_server(self._programs, plan))
        _await(processes, administration.is_ready, deadline)
        processes.start("kube-controller-manager", commands.controller_manager(self._programs, plan))
        processes.start("kube-scheduler", commands.scheduler(self._programs, plan))
        processes.start("kwok", commands.kwok(self._programs, plan))
        administration.ensure_storage_class()
        if self._own_node:
            administration.ensure_node(NODE_NAME, plan.node_address, NODE_ROLE)
        _await(processes, administration.has_accounts, deadline)

    def _admin(self) -> Administration:
        if self._administration is None:
            raise RuntimeError(f"cluster {self.name} is not running")
        return self._administration


def _await(processes: Processes, condition: Callable[[], bool], deadline: float) -> None:
    while not condition():
        processes.require()
        if time.monotonic() > deadline:
            raise TimeoutError(f"the control plane is not ready after {START_TIMEOUT:.0f} s")
        time.sleep(_POLL)


def _free_ports(*places: tuple[str, int]) -> list[int]:
    """The port of each place, a free one for 0. Raises OSError for one that cannot be had."""
    sockets: list[socket.socket] = []
    try:
        for place in places:
            sockets.append(socket.create_server(place))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _lost_a_port(error: BaseException) -> bool:
    return isinstance(error, ProgramEndedError) and "address already in use" in str(error)
