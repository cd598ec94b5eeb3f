"""What the servers of a machine need to know of it, and what they are made of: Protocols, no behaviour.

`vm.py` is the household, `builders.py` makes the servers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from groundplan_sandbox.cells.cell import Cell
from groundplan_sandbox.cells.confinement import Owner
from groundplan_sandbox.machines.publication import Publications
from groundplan_sandbox.postgres.programs import PostgresPrograms


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


class Running(msgspec.Struct, kw_only=True, frozen=True):
    """A server that runs and has no unit: `minikube` or `minio`, and the request of the program that started it."""

    kind: str
    request: dict[str, Any]


class Household(Protocol):
    """The machine, while its cell runs."""

    @property
    def name(self) -> str: ...
    @property
    def folder(self) -> Path: ...
    @property
    def cell(self) -> Cell: ...
    @property
    def addresses(self) -> tuple[str, ...]: ...
    @property
    def publications(self) -> Publications: ...
    @property
    def owner(self) -> Owner: ...
    @property
    def confined(self) -> bool: ...
    @property
    def postgres(self) -> PostgresPrograms: ...
    @property
    def builders(self) -> Builders: ...
    @property
    def path(self) -> str: ...
    def services_changed(self, running: list[Running]) -> None: ...
