"""A service of a machine on the machine's addresses: one relay a port, kept in step as addresses come and go.

It knows where a server answers, not which server it is; `services.py` does.
"""

import asyncio
import contextlib
import socket
from collections.abc import Sequence

from groundplan_sandbox.cells.cell import Cell, CellError
from groundplan_sandbox.machines.relay import Dial, Ends, Relay, ends_of


class PortTakenError(Exception):
    """A port of the machine is in use: by another service of it, or by somebody else on this computer."""


def in_cell(cell: Cell, port: int) -> Dial:
    """Dials a server that runs in the cell."""

    async def dial() -> Ends:
        try:
            return await ends_of(await cell.dial(port))
        except CellError as error:
            raise ConnectionRefusedError(str(error)) from error

    return dial


def on_host(port: int) -> Dial:
    """Dials a server that the sandbox's own process runs on 127.0.0.1."""

    async def dial() -> Ends:
        return await asyncio.open_connection("127.0.0.1", port)

    return dial


class Publication:
    """One port of a machine. `inside`: the server is the sandbox's, so the machine's own loopback leads there too."""

    def __init__(self, port: int, dial: Dial, *, optional: bool = False) -> None:
        self.port = port
        self._relay = Relay(dial)
        self._optional = optional

    async def open(self, addresses: Sequence[str], inside: Cell | None) -> None:
        """Listen on every address, and in the cell's network when `inside` is given. Raises PortTakenError."""
        try:
            if inside is not None:
                await self._relay.adopt("inside", await inside.listen(self.port))
            for address in addresses:
                await self.add_address(address)
        except CellError as error:
            self.close()
            raise PortTakenError(f"port {self.port} of the machine: {error}") from error
        except PortTakenError:
            self.close()
            raise

    async def add_address(self, address: str) -> None:
        """Listen there too. Raises PortTakenError, unless the publication is optional."""
        try:
            await self._relay.listen(address, self.port)
        except OSError as error:
            if not self._optional:
                raise PortTakenError(f"{address}:{self.port}: {error.strerror}") from error

    def remove_address(self, address: str) -> None:
        """Listen there no more."""
        self._relay.forget(address)

    def close(self) -> None:
        """Listen nowhere and close every connection."""
        self._relay.close()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody has at this moment."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
