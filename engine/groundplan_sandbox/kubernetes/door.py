"""What every cluster of the sandbox is, whoever serves its API: a folder, an authority, tokens, a kubeconfig.

`cluster` serves the API itself; `groundplan_sandbox.control_plane` has the real programs do it.
"""

from __future__ import annotations

import base64
import ipaddress
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from groundplan_sandbox.kubernetes.authentication import Tokens, Webhook
from groundplan_sandbox.kubernetes.certificates import Authority

ADMIN = "admin"


class Cluster(ABC):
    """A cluster named `name`; what it must remember between start and stop lies in `folder`."""

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

    @property
    @abstractmethod
    def running(self) -> bool: ...

    @abstractmethod
    def start(self, listen: Sequence[tuple[str, int]], certificate_names: Sequence[str]) -> list[tuple[str, int]]:
        """Serve on every (address, port); port 0 takes a free one. Returns the addresses bound.

        The certificate names the addresses, `certificate_names` and localhost. The first IP address among
        `certificate_names`, else the first address bound, is that of the node and of load balancers. Objects of an
        earlier run are there again.

        Raises OSError when an address cannot be bound or the API does not come up, ValueError when the saved state
        cannot be read or an address cannot be served, RuntimeError when it is running already.
        """

    @abstractmethod
    def stop(self) -> None:
        """Stop serving; every watch ends, the objects stay. Does nothing when it is not running."""

    @abstractmethod
    def add_node(self, name: str, address: str, labels: Mapping[str, str]) -> None:
        """A node that is Ready at once; an existing one of that name is brought up to date. Needs it running."""

    @abstractmethod
    def remove_node(self, name: str) -> None:
        """Remove a node with its pods; their owners make new ones. One that is not there is fine. Needs it running."""

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


class MakeCluster(Protocol):
    """Makes a cluster that is not running yet; `Cluster.__init__` says what is given."""

    def __call__(
        self, name: str, folder: Path, *, own_node: bool = True, webhook: Webhook | None = None
    ) -> Cluster: ...


def require_loopback(listen: Sequence[tuple[str, int]]) -> None:
    """Raises ValueError for an address that others than this computer could reach."""
    for address, _ in listen:
        if not ipaddress.ip_address(address).is_loopback:
            raise ValueError(f"the sandbox serves on loopback addresses only, not on {address}")


def public_address(names: Sequence[str]) -> str:
    """The first IP address among `names`, host names passed over. Raises ValueError when there is none."""
    for name in names:
        try:
            return str(ipaddress.ip_address(name))
        except ValueError:
            # A host name: it goes into the certificate, and is no address to hand out.
            continue
    raise ValueError(f"no IP address among {', '.join(names)}")


def _entry(name: str, path: Path, embed: bool) -> dict[str, str]:
    if not embed:
        return {name: str(path)}
    return {f"{name}-data": base64.b64encode(path.read_bytes()).decode()}
