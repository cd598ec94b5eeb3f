"""The machine's object stores: each serves for as long as its program `minio server` lives.

Objects are kept outside the machine's file system: its scripts could turn what a store opens there into links to the
host's files.
"""

import asyncio
import hashlib
import os

from groundplan_sandbox.machines.control import Answer, Release, Request
from groundplan_sandbox.machines.publication import Port, PortTakenError, on_host
from groundplan_sandbox.machines.services.household import Household, ObjectStore
from groundplan_sandbox.machines.services.record import RunningRecord


class MachineStores:
    """One store for each port. Requests: {folder, port, access_key, secret_key, region}."""

    def __init__(self, household: Household, record: RunningRecord) -> None:
        self._household = household
        self._record = record

    async def hold(self, request: Request) -> tuple[Answer, Release]:
        """Serve until released; code 1 with the reason when that cannot be."""
        name = f"minio:{int(request['port'])}"
        try:
            store = self._make(request)
            await asyncio.to_thread(store.start, "127.0.0.1", 0)
        except (ValueError, OSError) as error:
            return {"code": 1, "err": str(error)}, _nothing
        port = Port(number=int(request["port"]), dial=on_host(store.port), inside=True)
        try:
            await self._household.publications.publish(name, [port])
        except PortTakenError as error:
            await asyncio.to_thread(store.stop)
            return {"code": 1, "err": str(error)}, _nothing
        self._record.add(name, "minio", request)

        async def release() -> None:
            self._record.remove(name)
            await self._household.publications.withdraw(name)
            await asyncio.to_thread(store.stop)

        return {"code": 0}, release

    async def resume(self, request: Request) -> None:
        """Run the program again, which then asks for its store by itself."""
        env = {"MINIO_ROOT_USER": request["access_key"], "MINIO_ROOT_PASSWORD": request["secret_key"]}
        env |= {"MINIO_REGION": request["region"], "PATH": self._household.path, "HOME": "/"}
        argv = ["minio", "server", "--address", f":{request['port']}", request["folder"]]
        nothing = os.open(os.devnull, os.O_RDWR)
        try:
            await self._household.cell.spawn(argv, env=env, cwd="/", streams=(nothing, nothing, nothing))
        finally:
            os.close(nothing)

    def _make(self, request: Request) -> ObjectStore:
        name = hashlib.sha256(str(request["folder"]).encode()).hexdigest()[:16]
        folder = self._household.folder / "minio" / name
        folder.mkdir(parents=True, exist_ok=True)
        keys = (str(request["access_key"]), str(request["secret_key"]))
        return self._household.builders.object_store(folder, *keys, str(request["region"]))


async def _nothing() -> None:
    return
