"""Passes bytes between two ends of a connection, and leads listening sockets to one server, in a cell or not.

It knows no protocol. Which ports are listened on, and where they lead, is decided by its users.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

from groundplan_sandbox.cells.cell import Cell, CellError

_CHUNK = 64 * 1024
_CLOSE_SECONDS = 1.0


class Source(Protocol):
    """An end to read from."""

    async def read(self, n: int, /) -> bytes: ...


class Sink(Protocol):
    """An end to write to."""

    def write(self, data: bytes, /) -> None: ...
    async def drain(self) -> None: ...
    def write_eof(self) -> None: ...
    def close(self) -> None: ...
    async def wait_closed(self) -> None: ...


Ends = tuple[Source, Sink]
Dial = Callable[[], Awaitable[Ends]]


async def pump(source: Source, sink: Sink) -> None:
    """Copy until the source ends, then end the sink's direction."""
    with contextlib.suppress(OSError):
        while chunk := await source.read(_CHUNK):
            sink.write(chunk)
            await sink.drain()
        sink.write_eof()


async def join(left: Ends, right: Ends) -> None:
    """Pass bytes both ways until both directions have ended, then close both ends."""
    try:
        await asyncio.gather(pump(left[0], right[1]), pump(right[0], left[1]))
    finally:
        await close(left)
        await close(right)


async def close(ends: Ends) -> None:
    """Close both directions and wait until that is so; a peer that takes no more gets a second."""
    ends[1].close()
    with contextlib.suppress(OSError, TimeoutError):
        await asyncio.wait_for(ends[1].wait_closed(), _CLOSE_SECONDS)


async def ends_of(connection: socket.socket) -> Ends:
    """The two ends of a connected socket."""
    return await asyncio.open_connection(sock=connection)


def in_cell(cell: Cell, port: int) -> Dial:
    """Dials a server that runs in the cell."""

    async def dial() -> Ends:
        try:
            return await ends_of(await cell.dial(port))
        except CellError as error:
            raise ConnectionRefusedError(str(error)) from error

    return dial


class Relay:
    """Listening sockets that all lead to one server, reached by `dial`."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._servers: dict[str, asyncio.Server] = {}
        self._joins: dict[asyncio.Task[None], Ends] = {}

    async def listen(self, address: str, port: int) -> None:
        """Listen on the host. Raises OSError when the port cannot be had."""
        self._servers[address] = await asyncio.start_server(self._accepted, address, port)

    async def adopt(self, name: str, listener: socket.socket) -> int:
        """Listen on a socket made elsewhere, as in a machine's network; returns its port."""
        port: int = listener.getsockname()[1]
        self._servers[name] = await asyncio.start_server(self._accepted, sock=listener)
        return port

    def forget(self, address: str) -> None:
        """Stop listening there; connections that are open go on."""
        server = self._servers.pop(address, None)
        if server is not None:
            server.close()

    async def close(self) -> None:
        """Stop listening and close every connection."""
        for address in list(self._servers):
            self.forget(address)
        joins = dict(self._joins)
        for task in joins:
            task.cancel()
        await asyncio.gather(*joins, return_exceptions=True)
        # A task that is cancelled before its first step closes nothing.
        for ends in joins.values():
            await close(ends)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._connect(reader, writer))
        self._joins[task] = (reader, writer)
        task.add_done_callback(self._joins.pop)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await join((reader, writer), await self._dial())
        except OSError:
            writer.transport.abort()
        finally:
            await close((reader, writer))
