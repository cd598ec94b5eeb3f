"""The machine's Kubernetes API: what its `minikube` asks for.

The cluster is the sandbox's own server; it is published on 8443, and on 443 where that can be had.
"""

import asyncio

from groundplan_sandbox.machines.control import Answer, Request
from groundplan_sandbox.machines.publication import Port, PortTakenError, on_host
from groundplan_sandbox.machines.services.household import Household, KubernetesCluster
from groundplan_sandbox.machines.services.record import RunningRecord

KUBERNETES_PORT = 8443
_HTTPS_PORT = 443
_NAME = "minikube"
_ABSENT: Answer = {"code": 0, "exists": False, "running": False}


class MachineCluster:
    """At most one cluster. Requests: {action: start|stop|delete|status, names: [...], server: address or null}."""

    def __init__(self, household: Household, record: RunningRecord) -> None:
        self._household = household
        self._record = record
        self._cluster: KubernetesCluster | None = None
        self._turn = asyncio.Lock()

    async def answer(self, request: Request) -> Answer:
        """Do what a program asks, one request at a time."""
        actions = {"start": self._start, "stop": self._stop, "delete": self._delete, "status": self._status}
        async with self._turn:
            try:
                return await actions[request["action"]](request)
            except (PortTakenError, OSError) as error:
                return {"code": 1, "err": str(error)}

    async def close(self) -> None:
        """Stop the server; its objects stay."""
        async with self._turn:
            await self._end()

    async def _start(self, request: Request) -> Answer:
        if self._cluster is None:
            folder = self._household.folder / "kubernetes"
            self._cluster = await asyncio.to_thread(self._household.builders.kubernetes, _NAME, folder)
        addresses = self._household.addresses
        if not self._cluster.running:
            await self._serve(self._cluster, [*addresses, *request["names"], "127.0.0.1", "localhost"])
        self._record.add(_NAME, _NAME, request)
        server = request["server"] or (addresses[0] if addresses else "127.0.0.1")
        config = await asyncio.to_thread(self._cluster.kubeconfig, f"https://{server}:{KUBERNETES_PORT}")
        return {"code": 0, "kubeconfig": config}

    async def _serve(self, cluster: KubernetesCluster, names: list[str]) -> None:
        bound = await asyncio.to_thread(cluster.start, [("127.0.0.1", 0)], list(dict.fromkeys(names)))
        dial = on_host(bound[0][1])
        ports = [
            Port(number=KUBERNETES_PORT, dial=dial, inside=True),
            Port(number=_HTTPS_PORT, dial=dial, inside=True, optional=True),
        ]
        try:
            await self._household.publications.publish(_NAME, ports)
        except PortTakenError:
            await asyncio.to_thread(cluster.stop)
            raise

    async def _stop(self, _: Request) -> Answer:
        self._record.remove(_NAME)
        await self._end()
        return {"code": 0}

    async def _delete(self, _: Request) -> Answer:
        self._record.remove(_NAME)
        await self._end()
        folder = self._household.folder / "kubernetes"
        if folder.exists():
            await asyncio.to_thread(self._household.builders.kubernetes(_NAME, folder).delete)
        self._cluster = None
        return {"code": 0}

    async def _status(self, _: Request) -> Answer:
        if not (self._household.folder / "kubernetes").exists():
            return _ABSENT
        return {"code": 0, "exists": True, "running": self._cluster is not None and self._cluster.running}

    async def _end(self) -> None:
        await self._household.publications.withdraw(_NAME)
        if self._cluster is not None:
            await asyncio.to_thread(self._cluster.stop)
