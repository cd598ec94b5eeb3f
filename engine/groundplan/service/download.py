"""Gets a text from an address that a blueprint names, as a stranger's wish: bounded in size and time, and never from
this machine or the network's own services.

Each connection is checked where it is made, after the name is resolved: redirects and names that change their address
get no further. A proxy of the environment resolves names itself; what it may reach is its own rule.
"""

import http.client
import ipaddress
import socket
import ssl
import time
import urllib.error
import urllib.request
from typing import Any, Final
from urllib.parse import urlsplit

from groundplan.dsl.fetch import FetchError

_TRIES: Final = 6
_PAUSE_SECONDS: Final = 1.0
_SOCKET_SECONDS: Final = 10.0
_WHOLE_SECONDS: Final = 60.0
_LARGEST: Final = 10 * 1024 * 1024
_CHUNK: Final = 64 * 1024
Host = tuple[str, int]
"""Name or address, and port."""
_METADATA: Final = frozenset({"fd00:ec2::254", "100.100.100.200"})
"""Metadata services of clouds that are not link-local, as 169.254.169.254 is."""


def download(location: str, trusted: Host | None = None) -> str:
    """Return the text at an http or https address, trying again where the fault may pass (spec 1.4).

    Args:
        trusted: a host that the user named, not the blueprint: it may be this machine.

    Raises:
        FetchError: it cannot be had, is too large or too slow, or is no address that a blueprint may name.
    """
    deadline = time.monotonic() + _WHOLE_SECONDS
    for left in reversed(range(_TRIES)):
        try:
            return _read(location, deadline, trusted).decode("utf-8", errors="replace")
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500 or not left:
                raise FetchError(f"the server answered {error.code}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            if not left or isinstance(error, ValueError) or time.monotonic() > deadline:
                raise FetchError(f"it does not answer: {getattr(error, 'reason', error)}") from error
        time.sleep(_PAUSE_SECONDS)
    raise FetchError("it does not answer")


def _read(location: str, deadline: float, trusted: Host | None) -> bytes:
    content = bytearray()
    with _opener(trusted).open(location, timeout=_SOCKET_SECONDS) as answer:
        while part := answer.read1(_CHUNK):
            content += part
            if len(content) > _LARGEST:
                raise FetchError(f"it is larger than {_LARGEST // 1024 // 1024} MiB")
            if time.monotonic() > deadline:
                raise FetchError(f"it takes longer than {_WHOLE_SECONDS:g} s")
    return bytes(content)


def _opener(trusted: Host | None) -> urllib.request.OpenerDirector:
    """Return an opener for http and https and nothing else: no files, no FTP, wherever a redirect leads."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        _Plain(trusted),
        _Secure(trusted),
        urllib.request.HTTPDefaultErrorHandler(),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


class _PlainConnection(http.client.HTTPConnection):
    trusted: Host | None = None

    def connect(self) -> None:
        self.sock = _connect(self.host, self.port, self.trusted)


class _SecureConnection(http.client.HTTPSConnection):
    trusted: Host | None = None

    def connect(self) -> None:
        plain = _connect(self.host, self.port, self.trusted)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)


class _Plain(urllib.request.HTTPHandler):
    def __init__(self, trusted: Host | None) -> None:
        super().__init__()
        self._trusted = trusted

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(http.client.HTTPConnection if _is_proxied(req) else self._connection, req)

    def _connection(self, host: str, **settings: Any) -> http.client.HTTPConnection:
        made = _PlainConnection(host, **settings)
        made.trusted = self._trusted
        return made


class _Secure(urllib.request.HTTPSHandler):
    def __init__(self, trusted: Host | None) -> None:
        super().__init__()
        self._trusted = trusted

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(http.client.HTTPSConnection if _is_proxied(req) else self._connection, req)

    def _connection(self, host: str, **settings: Any) -> http.client.HTTPSConnection:
        made = _SecureConnection(host, **settings)
        made.trusted = self._trusted
        return made


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        """Follow a redirect, but not from https to http."""
        if req.type == "https" and not newurl.startswith("https:"):
            raise FetchError("the server leads from https to http")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _is_proxied(request: urllib.request.Request) -> bool:
    return request.host != urlsplit(request.full_url).netloc


def _connect(host: str, port: int, trusted: Host | None) -> socket.socket:
    """Connect to the first address of a host, after all of them were looked at unless the user named it."""
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in found:
        if (host, port) != trusted and not _may_be_asked(address):
            named = host if host == address else f"{host} is {address}"
            raise FetchError(
                f"{named}: a blueprint may not name this machine or its network; import rules of yours may"
            )
    return socket.create_connection((found[0], port), timeout=_SOCKET_SECONDS)


def _may_be_asked(address: str) -> bool:
    """Whether it is a host that others may serve texts on; private networks have such hosts, too."""
    known = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(known, ipaddress.IPv6Address) and known.ipv4_mapped is not None:
        known = known.ipv4_mapped
    own = known.is_loopback or known.is_unspecified
    return not (own or known.is_link_local or known.is_multicast or str(known) in _METADATA)
