"""Publishes what a machine's own processes listen on, as the network of a real machine would.

A server that a script starts (on 0.0.0.0 or an address of the machine, not on localhost) answers on the machine's
addresses a moment later. The kernel's table of the machine's network is looked at; nothing is asked of the server.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Collection

from groundplan_sandbox.cells.cell import Cell
from groundplan_sandbox.cells.inside.syscalls import open_in_root

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.25
_TABLES = (b"/proc/1/net/tcp", b"/proc/1/net/tcp6")
_TABLE_BYTES = 1 << 20
_LISTENING = "0A"
_EVERYWHERE = frozenset({"00000000", "0" * 32})

Changed = Callable[[Collection[int]], Awaitable[None]]


def open_ports(cell: Cell) -> frozenset[int]:
    """TCP ports of the cell's network on which a server of the cell waits for connections from anywhere.

    The table is that of proc(5), /proc/net/tcp: local address and port in hexadecimal, state 0A is LISTEN.
    """
    ports = set()
    for table in _TABLES:
        for line in _read(cell, table).splitlines()[1:]:
            fields = line.split()
            if len(fields) > 3 and fields[3] == _LISTENING:
                address, _, port = fields[1].rpartition(":")
                if address in _EVERYWHERE:
                    ports.add(int(port, 16))
    return frozenset(ports)


class PortWatch:
    """Tells, a few times a second, which ports are open, whenever that is not what it was."""

    def __init__(self, cell: Cell, changed: Changed) -> None:
        self._cell = cell
        self._changed = changed
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        known: frozenset[int] = frozenset()
        while self._cell.running:
            found = open_ports(self._cell)
            if found != known:
                await self._tell(found)
                known = found
            await asyncio.sleep(_POLL_SECONDS)

    async def _tell(self, ports: frozenset[int]) -> None:
        try:
            await self._changed(ports)
        except Exception:
            # The machine must not go without its other ports because of one.
            logger.exception("the ports of a machine were not published")


def _read(cell: Cell, table: bytes) -> str:
    try:
        with open(open_in_root(cell.root, table, os.O_RDONLY), "rb") as file:
            return file.read(_TABLE_BYTES).decode()
    except OSError:
        # A kernel without IPv6 has no such table; a cell that is ending has neither.
        return ""
