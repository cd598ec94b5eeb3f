"""All servers of one machine behind its control socket: opened with the cell, closed before it.

Each server has its module; this one says who answers which request, and what comes back after a pause.
"""

from collections.abc import Sequence

from groundplan_sandbox.machines.control import Answer, ControlServer, Request
from groundplan_sandbox.machines.services.cluster import MachineCluster
from groundplan_sandbox.machines.services.database import MachineDatabase
from groundplan_sandbox.machines.services.household import Household, Running
from groundplan_sandbox.machines.services.record import RunningRecord
from groundplan_sandbox.machines.services.store import MachineStores


class Services:
    """Use once, from the start of a machine's cell to its end, on the machine's event loop."""

    def __init__(self, household: Household) -> None:
        self._household = household
        self._record = RunningRecord(household)
        self._database = MachineDatabase(household)
        self._stores = MachineStores(household, self._record)
        self._cluster = MachineCluster(household, self._record)
        self._control = ControlServer(
            {"machine": self._describe, "postgresql": self._database.answer, "minikube": self._cluster.answer},
            {"minio": self._stores.hold},
        )

    async def open(self) -> None:
        """Answer the machine's programs."""
        assert self._household.cell.programs is not None
        await self._control.start(self._household.cell.programs)
        self._household.publications.start()

    async def close(self) -> None:
        """Stop every server; what they keep stays on disk, and with it the record of what ran."""
        self._record.close()
        await self._control.close()
        await self._database.close()
        await self._cluster.close()
        await self._household.publications.close()

    async def resume(self, services: Sequence[Running]) -> None:
        """Start again what ran when the sandbox ended."""
        for service in services:
            if service.kind == "minikube":
                await self._cluster.answer(service.request)
            else:
                await self._stores.resume(service.request)

    async def _describe(self, _: Request) -> Answer:
        home = self._household
        postgres = home.postgres.cell_bin if home.confined else home.postgres.host_bin
        return {"code": 0, "name": home.name, "addresses": list(home.addresses), "postgres_bin": postgres}
