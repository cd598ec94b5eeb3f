"""The servers of a machine: PostgreSQL, the object store, the Kubernetes API; started when its programs ask for them.

PostgreSQL runs in the machine's cell. The other two are ours, run no code of others and live in the sandbox's process,
with their folders outside the machine's file system. Each is published on every address of the machine.
"""

import asyncio
import hashlib
import os
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from groundplan_sandbox.cells.cell import Cell, CellError
from groundplan_sandbox.cells.confinement import Owner
from groundplan_sandbox.machines.control import Answer, ControlServer, Release, Request
from groundplan_sandbox.machines.publication import PortTakenError, Publication, free_port, in_cell, on_host
from groundplan_sandbox.postgres.cluster import POSTGRES_USER_ID, Place, PostgresCluster, PostgresError
from groundplan_sandbox.postgres.programs import PostgresPrograms

KUBERNETES_PORT = 8443
HTTPS_PORT = 443
_DATA = "/var/lib/pgsql/data"


class ObjectStore(Protocol):
    """An S3 server on a folder."""

    @property
    def port(self) -> int: ...
    def start(self, host: str, port: int) -> None: ...
    def stop(self) -> None: ...


class KubernetesCluster(Protocol):
    """A Kubernetes API server that keeps its objects in a folder."""

    @property
    def running(self) -> bool: ...
    def start(self, listen: Sequence[tuple[str, int]], certificate_names: Sequence[str]) -> list[tuple[str, int]]: ...
    def stop(self) -> None: ...
    def delete(self) -> None: ...
    def kubeconfig(self, server_url: str, *, embed: bool = True) -> dict[str, Any]: ...


class Builders(Protocol):
    """Makes the servers that the sandbox's own process runs."""

    def object_store(self, folder: Path, access_key: str, secret_key: str, region: str) -> ObjectStore: ...
    def kubernetes(self, name: str, folder: Path) -> KubernetesCluster: ...


class Household(Protocol):
    """What the services need to know of their machine."""

    @property
    def name(self) -> str: ...
    @property
    def folder(self) -> Path: ...
    @property
    def cell(self) -> Cell: ...
    @property
    def addresses(self) -> tuple[str, ...]: ...
    @property
    def owner(self) -> Owner: ...
    @property
    def confined(self) -> bool: ...
    @property
    def postgres(self) -> PostgresPrograms: ...
    @property
    def path(self) -> str: ...


class Running(msgspec.Struct, kw_only=True, frozen=True):
    """A server that runs: `minikube` or `minio`, and the request of its program."""

    kind: str
    request: dict[str, Any]


class Services:
    """Use on the event loop of the machine, while its cell runs."""

    def __init__(self, household: Household, builders: Builders) -> None:
        self._household = household
        self._builders = builders
        self._published: dict[str, list[Publication]] = {}
        self._postgres: PostgresCluster | None = None
        self._cluster: KubernetesCluster | None = None
        self._running: dict[str, Running] = {}
        # One at a time for each server: programs of a machine run side by side.
        self._turns: dict[str, asyncio.Lock] = {}
        self._control = ControlServer(
            {
                "machine": self._machine,
                "postgresql": self._postgresql,
                "minikube": self._minikube,
            },
            {"minio": self._minio},
        )

    async def open(self) -> None:
        """Answer the machine's programs."""
        assert self._household.cell.programs is not None
        await self._control.start(self._household.cell.programs)

    async def close(self) -> None:
        """Stop every server of the machine; what they keep stays on disk."""
        await self._control.close()
        if self._postgres is not None:
            await self._stop_postgresql()
        if self._cluster is not None:
            await asyncio.to_thread(self._cluster.stop)
        for name in list(self._published):
            self._unpublish(name)

    @property
    def running(self) -> list[Running]:
        """The servers that have no unit of their own, with the requests that started them."""
        return list(self._running.values())

    async def resume(self, services: Sequence[Running]) -> None:
        """Start again what ran when the sandbox ended."""
        for service in services:
            if service.kind == "minikube":
                await self._minikube(service.request)
            else:
                await self._run_minio(service.request)

    async def add_address(self, address: str) -> None:
        """Every running service answers there too. Raises PortTakenError."""
        for publications in self._published.values():
            for publication in publications:
                await publication.add_address(address)

    def remove_address(self, address: str) -> None:
        """No service answers there any more."""
        for publications in self._published.values():
            for publication in publications:
                publication.remove_address(address)

    async def _machine(self, _: Request) -> Answer:
        home = self._household
        postgres = home.postgres.cell_bin if home.confined else home.postgres.host_bin
        return {"code": 0, "name": home.name, "addresses": list(home.addresses), "postgres_bin": postgres}

    # PostgreSQL

    async def _postgresql(self, request: Request) -> Answer:
        actions: dict[str, Callable[[Request], Coroutine[Any, Any, Answer]]] = {
            "initialize": self._initialize_postgresql,
            "start": self._start_postgresql,
            "stop": self._answer_stop_postgresql,
            "status": self._postgresql_status,
        }
        async with self._turn("postgresql"):
            try:
                return await actions[request["action"]](request)
            except (PostgresError, PortTakenError, CellError) as error:
                return {"code": 1, "err": str(error)}

    async def _initialize_postgresql(self, request: Request) -> Answer:
        await self._new_postgres().initialize(request["options"])
        return {"code": 0}

    async def _start_postgresql(self, _: Request) -> Answer:
        if self._postgres is not None and self._postgres.running:
            return {"code": 0}
        server = self._new_postgres()
        await server.start()
        self._postgres = server
        port = 5432 if self._place().port is not None else server.port
        publication = Publication(port, in_cell(self._household.cell, server.port))
        try:
            await self._publish("postgresql", [publication], inside=False)
        except PortTakenError:
            await self._stop_postgresql()
            raise
        return {"code": 0}

    async def _answer_stop_postgresql(self, _: Request) -> Answer:
        await self._stop_postgresql()
        return {"code": 0}

    async def _stop_postgresql(self) -> None:
        self._unpublish("postgresql")
        if self._postgres is not None:
            await self._postgres.stop()
            self._postgres = None

    async def _postgresql_status(self, _: Request) -> Answer:
        running = self._postgres is not None and self._postgres.running
        return {"code": 0, "running": running}

    def _new_postgres(self) -> PostgresCluster:
        return PostgresCluster(self._household.cell, self._place(), self._household.owner)

    def _place(self) -> Place:
        programs = self._household.postgres
        if self._household.confined:
            return Place(
                bin=programs.cell_bin,
                data=_DATA,
                sockets="/run/postgresql,/tmp",
                log="/var/lib/pgsql/server.log",
                user=POSTGRES_USER_ID,
            )
        root = f"{self._household.folder}/root"
        owner = self._household.owner.uid
        log = f"{root}/var/lib/pgsql/server.log"
        return Place(bin=programs.host_bin, data=root + _DATA, sockets="", log=log, user=owner, port=free_port())

    # The object store

    async def _minio(self, request: Request) -> tuple[Answer, Release]:
        """Serve a folder for as long as the program `minio server` lives."""
        try:
            store = self._new_store(request)
            await asyncio.to_thread(store.start, "127.0.0.1", 0)
        except (ValueError, OSError) as error:
            return {"code": 1, "err": str(error)}, _nothing
        port = int(request["port"])
        try:
            await self._publish(f"minio:{port}", [Publication(port, on_host(store.port))], inside=True)
        except PortTakenError as error:
            await asyncio.to_thread(store.stop)
            return {"code": 1, "err": str(error)}, _nothing

        self._running[f"minio:{port}"] = Running(kind="minio", request=dict(request))

        async def release() -> None:
            self._running.pop(f"minio:{port}", None)
            self._unpublish(f"minio:{port}")
            await asyncio.to_thread(store.stop)

        return {"code": 0}, release

    async def _run_minio(self, request: Request) -> None:
        """Run the program again, as its own user did; it then asks for the store by itself."""
        env = {"MINIO_ROOT_USER": request["access_key"], "MINIO_ROOT_PASSWORD": request["secret_key"]}
        env |= {"MINIO_REGION": request["region"], "PATH": self._household.path}
        argv = ["minio", "server", "--address", f":{request['port']}", request["folder"]]
        nothing = os.open(os.devnull, os.O_RDWR)
        try:
            await self._household.cell.spawn(argv, env=env, cwd="/", streams=(nothing, nothing, nothing))
        finally:
            os.close(nothing)

    def _new_store(self, request: Request) -> ObjectStore:
        # Not the machine's own folder: its scripts could turn what the store opens into links to the host's files.
        name = hashlib.sha256(str(request["folder"]).encode()).hexdigest()[:16]
        folder = self._household.folder / "minio" / name
        folder.mkdir(parents=True, exist_ok=True)
        return self._builders.object_store(folder, request["access_key"], request["secret_key"], request["region"])

    # Kubernetes

    async def _minikube(self, request: Request) -> Answer:
        actions: dict[str, Callable[[Request], Coroutine[Any, Any, Answer]]] = {
            "start": self._start_minikube,
            "stop": self._stop_minikube,
            "delete": self._delete_minikube,
            "status": self._minikube_status,
        }
        async with self._turn("minikube"):
            try:
                return await actions[request["action"]](request)
            except (PortTakenError, OSError) as error:
                return {"code": 1, "err": str(error)}

    async def _start_minikube(self, request: Request) -> Answer:
        cluster = self._minikube_cluster()
        addresses = self._household.addresses
        if not cluster.running:
            names = [*addresses, *request["names"], "127.0.0.1", "localhost"]
            bound = await asyncio.to_thread(cluster.start, [("127.0.0.1", 0)], list(dict.fromkeys(names)))
            port = bound[0][1]
            ports = [Publication(KUBERNETES_PORT, on_host(port)), Publication(HTTPS_PORT, on_host(port), optional=True)]
            try:
                await self._publish("minikube", ports, inside=True)
            except PortTakenError:
                await asyncio.to_thread(cluster.stop)
                raise
        self._running["minikube"] = Running(kind="minikube", request=dict(request))
        server = request["server"] or (addresses[0] if addresses else "127.0.0.1")
        config = await asyncio.to_thread(cluster.kubeconfig, f"https://{server}:{KUBERNETES_PORT}")
        return {"code": 0, "kubeconfig": config}

    async def _stop_minikube(self, _: Request) -> Answer:
        self._unpublish("minikube")
        self._running.pop("minikube", None)
        if self._cluster is not None:
            await asyncio.to_thread(self._cluster.stop)
        return {"code": 0}

    async def _delete_minikube(self, _: Request) -> Answer:
        self._unpublish("minikube")
        self._running.pop("minikube", None)
        cluster = self._minikube_cluster()
        await asyncio.to_thread(cluster.stop)
        await asyncio.to_thread(cluster.delete)
        self._cluster = None
        return {"code": 0}

    async def _minikube_status(self, _: Request) -> Answer:
        exists = (self._household.folder / "kubernetes").exists()
        return {"code": 0, "exists": exists, "running": self._cluster is not None and self._cluster.running}

    def _minikube_cluster(self) -> KubernetesCluster:
        if self._cluster is None:
            self._cluster = self._builders.kubernetes("minikube", self._household.folder / "kubernetes")
        return self._cluster

    # Ports

    async def _publish(self, name: str, publications: list[Publication], *, inside: bool) -> None:
        cell = self._household.cell if inside and self._household.confined else None
        opened: list[Publication] = []
        try:
            for publication in publications:
                await publication.open(self._household.addresses, cell)
                opened.append(publication)
        except PortTakenError:
            for publication in opened:
                publication.close()
            raise
        self._published[name] = publications

    def _unpublish(self, name: str) -> None:
        for publication in self._published.pop(name, []):
            publication.close()

    def _turn(self, name: str) -> asyncio.Lock:
        return self._turns.setdefault(name, asyncio.Lock())


async def _nothing() -> None:
    return
