"""One emulated cluster: its thread, its server. The way in for the rest of the sandbox.

Start and stop are synchronous; `serving` is what runs in between. What persists lies in the cluster's folder: the
authority's keys, the tokens' digests (`door`), the objects.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path

from groundplan_sandbox.kubernetes import nodes
from groundplan_sandbox.kubernetes.authentication import Webhook
from groundplan_sandbox.kubernetes.certificates import KeyPair
from groundplan_sandbox.kubernetes.door import Cluster, public_address, require_loopback
from groundplan_sandbox.kubernetes.serving import Serving


class KubernetesCluster(Cluster):
    """A cluster whose API is emulated in this process."""

    def __init__(self, name: str, folder: Path, *, own_node: bool = True, webhook: Webhook | None = None) -> None:
        super().__init__(name, folder, own_node=own_node, webhook=webhook)
        self._serving: Serving | None = None

    @property
    def running(self) -> bool:
        return self._serving is not None and self._serving.alive

    def start(self, listen: Sequence[tuple[str, int]], certificate_names: Sequence[str]) -> list[tuple[str, int]]:
        if self.running:
            raise RuntimeError(f"cluster {self.name} is running")
        require_loopback(listen)
        sockets = _bind(listen)
        try:
            names = [*(address for address, _ in listen), *certificate_names, "localhost", "10.96.0.1"]
            pair = self._authority.issue_server([*names, "kubernetes", "kubernetes.default.svc"])
            context = _tls(pair, self._authority.certificate)
            address = public_address([*certificate_names, listen[0][0]])
            self._serving = Serving(
                state=self._state,
                tokens=self._tokens,
                authority=self._authority.certificate,
                sockets=sockets,
                context=context,
                address=address,
                own_node=self._own_node,
            )
            self._serving.start()
        except BaseException:
            self._serving = None
            for each in sockets:
                each.close()
            raise
        return [each.getsockname()[:2] for each in sockets]

    def stop(self) -> None:
        if self._serving is not None:
            serving, self._serving = self._serving, None
            serving.stop()

    def add_node(self, name: str, address: str, labels: Mapping[str, str]) -> None:
        self._run().call(lambda api: nodes.ensure_node(api, name, address, labels))

    def remove_node(self, name: str) -> None:
        self._run().call(lambda api: nodes.remove_node(api, name))

    def _run(self) -> Serving:
        if self._serving is None:
            raise RuntimeError(f"cluster {self.name} is not running")
        return self._serving

    @property
    def _state(self) -> Path:
        return self._folder / "state.json"


def _bind(listen: Sequence[tuple[str, int]]) -> list[socket.socket]:
    bound: list[socket.socket] = []
    try:
        for address in listen:
            bound.append(socket.create_server(address, backlog=128))
    except OSError:
        for each in bound:
            each.close()
        raise
    return bound


def _tls(pair: KeyPair, authority: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    return context
