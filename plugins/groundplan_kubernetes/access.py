"""How one cluster is reached and as whom: the noun between a node's `client_config` and the client.

It is made by `kubeconfig` (or by a test) and used by `client`; it reads nothing by itself, and never shows credentials.
"""

from dataclasses import dataclass, field
from typing import Protocol


class Credential(Protocol):
    """What goes into the header Authorization; asked before each request, so that it may grow old and be renewed."""

    def header(self) -> str:
        """Return the header's value, for example `Bearer eyJ...`.

        Raises:
            RecoverableError: it could not be had this time.
            NonRecoverableError: it cannot be had.
        """


@dataclass(frozen=True, kw_only=True)
class Static:
    """A header that does not change: a token, or a name and a password."""

    value: str = field(repr=False)

    def header(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class ClusterAccess:
    """One cluster and one user of it.

    Attributes:
        server: URL of the API, `https://10.0.0.4:8443`; a path in it is kept.
        authority: the certificates (PEM) that the server's must descend from; empty for those of this machine.
        verify: False to take any certificate.
        server_name: the name that the certificate must carry, when it is not the URL's host.
        certificate, key: the client's certificate and its key (PEM), or both empty.
        credential: what names the user, unless the certificate does.
        proxy: URL of the proxy that the kubeconfig names; empty for the environment's.
        sandboxed: speak to loopback addresses only, and to them directly, whatever proxy is named.
    """

    server: str
    authority: str = ""
    verify: bool = True
    server_name: str = ""
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    credential: Credential | None = field(default=None, repr=False)
    proxy: str = ""
    sandboxed: bool = False
