"""What the language server asks of the user's home: plugins, and names of secrets, deployments and capabilities.

Names only: no value of a secret leaves the store.
"""

from collections.abc import Sequence
from typing import Protocol

from groundplan.dsl.imports import Fetch
from groundplan.model.ids import DeploymentId
from groundplan.service.assembly import Engine
from groundplan.service.plugins import choose


class Home(Protocol):
    """What `workspace` needs of a home (`completion.Elsewhere` and more)."""

    @property
    def fetch(self) -> Fetch:
        """What imports are fetched by."""

    def package(self, plugin: str) -> str:
        """Return the Python package of the installed plugin that answers to a name; empty when there is none."""

    def secrets(self) -> Sequence[str]:
        """Return the names of the secrets."""

    def deployments(self) -> Sequence[str]:
        """Return the ids of the deployments."""

    def capabilities(self, deployment: str) -> Sequence[str]:
        """Return the names of a deployment's capabilities."""

    def plugins(self) -> Sequence[str]:
        """Return the names by which installed plugins are imported."""

    def blueprints(self) -> Sequence[str]:
        """Return the ids of the uploaded blueprints."""


class EngineHome:
    """Implements `Home` for an opened engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def fetch(self) -> Fetch:
        return self._engine.fetch

    def package(self, plugin: str) -> str:
        found = choose(self._engine.manifests, plugin, "")
        return "" if found is None else found.package

    def secrets(self) -> Sequence[str]:
        with self._engine.store.snapshot() as snapshot:
            return [found.name for found in snapshot.secrets()]

    def deployments(self) -> Sequence[str]:
        with self._engine.store.snapshot() as snapshot:
            return [found.id for found in snapshot.deployments()]

    def capabilities(self, deployment: str) -> Sequence[str]:
        with self._engine.store.snapshot() as snapshot:
            found = snapshot.deployment(DeploymentId(deployment))
            return [] if found is None else list(self._engine.library.blueprint(snapshot, found.digest).capabilities)

    def plugins(self) -> Sequence[str]:
        return [stand_in.name for manifest in self._engine.manifests.values() for stand_in in manifest.stands_for]

    def blueprints(self) -> Sequence[str]:
        with self._engine.store.snapshot() as snapshot:
            return [found.id for found in snapshot.blueprints()]
