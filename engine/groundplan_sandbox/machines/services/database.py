"""The machine's PostgreSQL: what `postgresql-setup` and `systemctl` of the machine ask for.

The server runs in the machine's cell, on the machine's own files; only its port is published from outside.
"""

import asyncio

from groundplan_sandbox.cells.cell import CellError
from groundplan_sandbox.cells.relay import in_cell
from groundplan_sandbox.machines.control import Answer, Request
from groundplan_sandbox.machines.publication import Port, PortTakenError
from groundplan_sandbox.machines.services.household import Household
from groundplan_sandbox.postgres.cluster import PostgresCluster, PostgresError, place_on_machine

_NAME = "postgresql"
_PORT = 5432


class MachineDatabase:
    """At most one cluster. Requests: {action: initialize|start|stop|status, options, folder}."""

    def __init__(self, household: Household) -> None:
        self._household = household
        self._server: PostgresCluster | None = None
        self._turn = asyncio.Lock()

    async def answer(self, request: Request) -> Answer:
        """Do what a program asks, one request at a time; PostgreSQL's own words on failure."""
        actions = {"initialize": self._initialize, "start": self._start, "stop": self._stop, "status": self._status}
        async with self._turn:
            try:
                return await actions[request["action"]](request)
            except (PostgresError, PortTakenError, CellError) as error:
                return {"code": 1, "err": str(error)}

    async def close(self) -> None:
        """Stop the server."""
        async with self._turn:
            await self._end()

    async def _initialize(self, request: Request) -> Answer:
        await self._cluster().initialize(request["options"], folder=request["folder"])
        return {"code": 0}

    async def _start(self, _: Request) -> Answer:
        if self._server is not None and self._server.running:
            return {"code": 0}
        self._server = server = self._cluster()
        await server.start()
        # In a network that it shares with the host the server has a port of its own, and is known by the usual one.
        port = Port(
            number=server.port if self._household.confined else _PORT, dial=in_cell(self._household.cell, server.port)
        )
        try:
            await self._household.publications.publish(_NAME, [port])
        except PortTakenError:
            await self._end()
            raise
        return {"code": 0}

    async def _stop(self, _: Request) -> Answer:
        await self._end()
        return {"code": 0}

    async def _status(self, _: Request) -> Answer:
        return {"code": 0, "running": self._server is not None and self._server.running}

    async def _end(self) -> None:
        # First the server: a port without a name on which one still listens would be published again.
        if self._server is not None:
            await self._server.stop()
            self._server = None
        await self._household.publications.withdraw(_NAME)

    def _cluster(self) -> PostgresCluster:
        home = self._household
        root = home.folder / "root"
        place = place_on_machine(home.postgres, root=root, confined=home.confined, owner=home.owner)
        return PostgresCluster(home.cell, place, home.owner)
