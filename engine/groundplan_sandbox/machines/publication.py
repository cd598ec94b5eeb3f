"""The ports of a machine on the addresses of the machine, kept in step as servers and addresses come and go.

It knows where a server answers, not which server it is; `services/` does. What the machine's own processes listen on
is published too (`ports.py` looks), unless the port has a name already.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from groundplan_sandbox.cells.cell import Cell, CellError
from groundplan_sandbox.cells.relay import Dial, Ends, Relay, in_cell
from groundplan_sandbox.machines.ports import PortWatch


class PortTakenError(Exception):
    """A port of the machine is in use: by another service of it, or by somebody else on this computer."""


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port and how its server is reached. `inside`: the machine's own loopback is to lead there too.

    An `optional` port is left out on an address where it cannot be had.
    """

    number: int
    dial: Dial
    inside: bool = False
    optional: bool = False


def on_host(port: int) -> Dial:
    """Dials a server that the sandbox's own process runs on 127.0.0.1."""

    async def dial() -> Ends:
        return await asyncio.open_connection("127.0.0.1", port)

    return dial


class Publications:
    """What a machine serves. `addresses` tells its addresses, `cell` its cell when that has a network of its own."""

    def __init__(self, addresses: Callable[[], Sequence[str]], cell: Cell | None) -> None:
        self._addresses = addresses
        self._cell = cell
        self._named: dict[str, list[_Publication]] = {}
        self._own: dict[int, _Publication] = {}
        # One change at a time: a port that is half published would look like one of the machine's own processes'.
        self._turn = asyncio.Lock()
        self._watch = PortWatch(cell, self._follow) if cell is not None else None

    def start(self) -> None:
        """Begin to publish what the machine's own processes listen on."""
        if self._watch is not None:
            self._watch.start()

    async def close(self) -> None:
        """Publish nothing any more."""
        if self._watch is not None:
            await self._watch.stop()
        for name in list(self._named):
            await self.withdraw(name)
        await self._follow(frozenset())

    async def publish(self, name: str, ports: Sequence[Port]) -> None:
        """Listen for a server on every address. Raises PortTakenError, and then none of its ports is published."""
        async with self._turn:
            publications: list[_Publication] = []
            try:
                for port in ports:
                    await self._drop_own(port.number)
                    publications.append(_Publication(port))
                    await publications[-1].open(self._addresses(), self._cell)
            except PortTakenError:
                for publication in publications:
                    await publication.close()
                raise
            self._named[name] = publications

    async def withdraw(self, name: str) -> None:
        """Listen for the server no more; its connections are closed."""
        async with self._turn:
            for publication in self._named.pop(name, []):
                await publication.close()

    async def add_address(self, address: str) -> None:
        """Everything answers there too. Raises PortTakenError."""
        async with self._turn:
            for publication in self._all():
                await publication.add_address(address)

    async def remove_address(self, address: str) -> None:
        """Nothing answers there any more."""
        async with self._turn:
            for publication in self._all():
                publication.remove_address(address)

    async def _follow(self, open_ports: Collection[int]) -> None:
        async with self._turn:
            for number in set(self._own) - set(open_ports):
                await self._drop_own(number)
            taken = {publication.port.number for publication in self._all()}
            for number in set(open_ports) - taken:
                assert self._cell is not None
                publication = _Publication(Port(number=number, dial=in_cell(self._cell, number), optional=True))
                await publication.open(self._addresses(), None)
                self._own[number] = publication

    async def _drop_own(self, number: int) -> None:
        publication = self._own.pop(number, None)
        if publication is not None:
            await publication.close()

    def _all(self) -> "list[_Publication]":
        return [*self._own.values(), *(each for publications in self._named.values() for each in publications)]


class _Publication:
    """The listeners of one port."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self._relay = Relay(port.dial)

    async def open(self, addresses: Sequence[str], cell: Cell | None) -> None:
        try:
            if self.port.inside and cell is not None:
                await self._relay.adopt("inside", await cell.listen(self.port.number))
        except CellError as error:
            raise PortTakenError(f"port {self.port.number} of the machine: {error}") from error
        for address in addresses:
            await self.add_address(address)

    async def add_address(self, address: str) -> None:
        try:
            await self._relay.listen(address, self.port.number)
        except OSError as error:
            if not self.port.optional:
                raise PortTakenError(f"{address}:{self.port.number}: {error.strerror}") from error

    def remove_address(self, address: str) -> None:
        self._relay.forget(address)

    async def close(self) -> None:
        await self._relay.close()
