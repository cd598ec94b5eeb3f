"""Where the Temporal service is and how it is talked to; no library needed to say so."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """A Temporal service.

    Attributes:
        target: host and port of its frontend.
        ca: file with the certificates that its own is checked against; None for the system's.
        certificate: file with this side's certificate, for mutual TLS.
        key: file with the certificate's key.
        server_name: the name in the service's certificate, where it is not the host of `target`.
        api_key: file with an API key, for services that want one.
        tls: whether the connection is encrypted at all.
    """

    target: str
    namespace: str = "default"
    tls: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str = ""
    api_key: Path | None = None
