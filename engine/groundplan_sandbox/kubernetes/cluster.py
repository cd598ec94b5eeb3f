"""One emulated cluster: its folder, its thread, its server. The door for the rest of the sandbox.

Start and stop are synchronous; `serving` is what runs in between. What persists lies in the cluster's folder: the
authority's keys, the tokens' digests, the objects.
"""

from __future__ import annotations

import base64
import ipaddress
import shutil
import socket
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from groundplan_sandbox.kubernetes import nodes
from groundplan_sandbox.kubernetes.authentication import Tokens, Webhook
from groundplan_sandbox.kubernetes.certificates import Authority, KeyPair
from groundplan_sandbox.kubernetes.serving import Serving

ADMIN = "admin"


class KubernetesCluster:
    """An emulated cluster named `name`; what it must remember between start and stop lies in `folder`."""

    def __init__(self, name: str, folder: Path, *, own_node: bool = True, webhook: Webhook | None = None) -> None:
        """own_node: whether it has the one node `minikube`; without it nodes come by `add_node`.

        webhook: who stands behind tokens that this cluster did not give out.
        """
        self.name = name
        self._folder = folder
        self._own_node = own_node
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._authority = Authority(folder, name)
        self._tokens = Tokens(folder / "tokens.json", webhook)
        self._serving: Serving | None = None

    @property
    def running(self) -> bool:
        return self._serving is not None and self._serving.alive

    def start(self, listen: Sequence[tuple[str, int]], certificate_names: Sequence[str]) -> list[tuple[str, int]]:
        """Serve on every (address, port); port 0 takes a free one. Returns the addresses bound.

        The certificate names the addresses, `certificate_names` and localhost. The first IP address among
        `certificate_names`, else the first address bound, is that of the node and of load balancers. Objects of an
        earlier run are there again.

        Raises OSError when an address cannot be bound, ValueError when the saved state cannot be read or an address
        is not a loopback address, RuntimeError when it is running already.
        """
        if self.running:
            raise RuntimeError(f"cluster {self.name} is running")
        for address, _ in listen:
            if not ipaddress.ip_address(address).is_loopback:
                raise ValueError(f"the sandbox serves on loopback addresses only, not on {address}")
        sockets = _bind(listen)
        try:
            names = [*(address for address, _ in listen), *certificate_names, "localhost", "10.96.0.1"]
            pair = self._authority.issue_server([*names, "kubernetes", "kubernetes.default.svc"])
            context = _tls(pair, self._authority.certificate)
            address = _public_address([*certificate_names, listen[0][0]])
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
        """Save the objects and stop serving; every watch ends. Does nothing when it is not running."""
        if self._serving is not None:
            serving, self._serving = self._serving, None
            serving.stop()

    def delete(self) -> None:
        """Stop, and remove the folder with everything in it."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def token(self, user: str, groups: Sequence[str]) -> str:
        """A bearer token that this cluster accepts as `user` in `groups`, also after a restart."""
        return self._tokens.issue(user, groups)

    @property
    def authority(self) -> str:
        """The certificate of the authority that signed the server's, as PEM."""
        return self._authority.certificate.read_text(encoding="ascii")

    def add_node(self, name: str, address: str, labels: Mapping[str, str]) -> None:
        """A node that is Ready at once; an existing one of that name is brought up to date. Needs it running."""
        self._run().call(lambda api: nodes.ensure_node(api, name, address, labels))

    def remove_node(self, name: str) -> None:
        """Remove a node with its pods; their owners make new ones. One that is not there is fine. Needs it running."""
        self._run().call(lambda api: nodes.remove_node(api, name))

    def kubeconfig(self, server_url: str, *, embed: bool = True) -> dict[str, Any]:
        """A kubeconfig for `admin` by client certificate; with `embed` its data inline, else paths to files."""
        pair = self._authority.issue_client(ADMIN, ["system:masters"])
        cluster = {"server": server_url, **_entry("certificate-authority", self._authority.certificate, embed)}
        user = {**_entry("client-certificate", pair.certificate, embed), **_entry("client-key", pair.key, embed)}
        context = {"cluster": self.name, "user": self.name, "namespace": "default"}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "preferences": {},
            "clusters": [{"name": self.name, "cluster": cluster}],
            "users": [{"name": self.name, "user": user}],
            "contexts": [{"name": self.name, "context": context}],
            "current-context": self.name,
        }

    def _run(self) -> Serving:
        if self._serving is None:
            raise RuntimeError(f"cluster {self.name} is not running")
        return self._serving

    @property
    def _state(self) -> Path:
        return self._folder / "state.json"


def _entry(name: str, path: Path, embed: bool) -> dict[str, str]:
    if not embed:
        return {name: str(path)}
    return {f"{name}-data": base64.b64encode(path.read_bytes()).decode()}


def _public_address(names: Sequence[str]) -> str:
    for name in names:
        try:
            return str(ipaddress.ip_address(name))
        except ValueError:
            # A host name: it goes into the certificate, and is no address to hand out.
            continue
    raise ValueError(f"no IP address among {', '.join(names)}")


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
