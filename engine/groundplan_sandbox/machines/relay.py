"""Passes bytes between two ends of a connection, and publishes a server of a machine on the machine's addresses.

It knows no protocol. Which ports are published, and where they lead, is said by `services.py` and `ssh.py`.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

_CHUNK = 64 * 1024


class Source(Protocol):
    """An end to read from."""

    async def read(self, n: int, /) -> bytes: ...


class Sink(Protocol):
    """An end to write to."""

    def write(self, data: bytes, /) -> None: ...
    async def drain(self) -> None: ...
    def write_eof(self) -> None: ...
    def close(self) -> None: ...


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
        left[1].close()
        right[1].close()


async def ends_of(connection: socket.socket) -> Ends:
    """The two ends of a connected socket."""
    return await asyncio.open_connection(sock=connection)


class Relay:
    """Listening sockets that all lead to one server, reached by `dial`."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._servers: dict[str, asyncio.Server] = {}
        self._joins: set[asyncio.Task[None]] = set()

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

    def close(self) -> None:
        """Stop listening and close every connection."""
        for address in list(self._servers):
            self.forget(address)
        for task in self._joins:
            task.cancel()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._connect(reader, writer))
        self._joins.add(task)
        task.add_done_callback(self._joins.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server = await self._dial()
        except OSError:
            writer.transport.abort()
            return
        await join((reader, writer), server)
