"""What services that run real servers stand on: addresses, folders, time, and the servers that run now.

A server belongs to one emulated resource and has an address of its own. How it is made is its service's affair.
"""

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from groundplan_sandbox.aws.addresses import AddressPool
from groundplan_sandbox.aws.transitions import Transitions
from groundplan_sandbox.credentials import Credentials
from groundplan_sandbox.kubernetes.door import MakeCluster


class Server(Protocol):
    """A server on a loopback address. Both methods block until done."""

    def start(self) -> None: ...
    def delete(self) -> None:
        """Stop it and remove its files; does no harm to one that never started."""


Kind = TypeVar("Kind", bound=Server)


class EndedError(Exception):
    """The resource was deleted before its server was up."""


@dataclass(kw_only=True)
class _Place(Generic[Kind]):
    """`turn` is held while the server starts or ends."""

    server: Kind | None = None
    address: str | None = None
    ended: bool = False
    turn: threading.Lock = field(default_factory=threading.Lock)


class Servers:
    """The servers of all emulated resources, each in a folder of its own below `folder`. Any thread may call."""

    def __init__(self, folder: Path, addresses: AddressPool) -> None:
        self._folder = folder
        self._addresses = addresses
        self._places: dict[str, _Place[Server]] = {}
        self._lock = threading.Lock()

    def reserve(self, name: str) -> None:
        """Announce a server, so that `end` may come before `start` does its work."""
        with self._lock:
            self._places[name] = _Place()

    def start(self, name: str, make: Callable[[str, Path], Kind]) -> tuple[str, Kind]:
        """Make and start the server called `name`, which was reserved; gives its address and itself.

        Raises what `make` and its start raise, NoAddressError, and EndedError when `end` came first.
        """
        with self._lock:
            place = self._places.get(name)
        if place is None:
            raise EndedError(name)
        with place.turn:
            if place.ended:
                raise EndedError(name)
            address = self._addresses.take()
            try:
                server = make(address, self._folder / name)
                _start(server)
            except BaseException:
                self._addresses.release(address)
                raise
            place.server, place.address = server, address
        return address, server

    def end(self, name: str) -> None:
        """Stop the server called `name`, with its files; returns when they are gone. A name never started is fine."""
        with self._lock:
            place = self._places.pop(name, None)
        if place is not None:
            self._end(place)

    def end_all(self) -> None:
        """Stop every server; those that are starting too."""
        with self._lock:
            places, self._places = list(self._places.values()), {}
        for place in places:
            self._end(place)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, place: "_Place[Server]") -> None:
        with place.turn:
            place.ended = True
            if place.server is not None:
                place.server.delete()
            if place.address is not None:
                self._addresses.release(place.address)
            place.server = place.address = None


def _start(server: Server) -> None:
    try:
        server.start()
    except BaseException:
        server.delete()
        raise


@dataclass(frozen=True, kw_only=True)
class Site:
    """The surroundings of a corrected service.

    `confined`: whether programs of servers run in namespaces. `make_cluster`: makes what answers for an EKS cluster.
    """

    transitions: Transitions
    servers: Servers
    credentials: Credentials
    confined: bool
    make_cluster: MakeCluster
