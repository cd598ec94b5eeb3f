"""Puts the engine together: the one place that chooses the store and the driver.

Imports that only some commands need are made where they are used, so that a command that lists stays quick.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from groundplan.dsl.imports import Fetch
from groundplan.model.plugin import PluginManifest
from groundplan.runtime.library import Library
from groundplan.runtime.local import LocalDriver, Watch
from groundplan.runtime.policy import Policy
from groundplan.service.home import Home, find_home, prepare
from groundplan.service.settings import HomeSettings
from groundplan.state.seal import Seal, load_key
from groundplan.state.sql.store import SqlStore
from groundplan.state.store import Store


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


class Engine:
    """The parts of one home, each made when it is first asked for."""

    def __init__(self, home: Home, environment: Mapping[str, str]) -> None:
        self.home = home
        self._environment = environment

    @cached_property
    def store(self) -> Store:
        """The store, made and brought up to date.

        Raises:
            UsageError: the home or its key cannot be used.
            StoreFault: the store cannot be opened.
        """
        prepare(self.home)
        return SqlStore(self.home.database, Seal(load_key(self.home.path, self._environment)), _upgrade)

    @cached_property
    def settings(self) -> HomeSettings:
        """What the home says about where operations run."""
        return HomeSettings(self.home, self._environment)

    @cached_property
    def library(self) -> Library:
        """Stored plans as blueprints."""
        return Library()

    @cached_property
    def manifests(self) -> Mapping[str, PluginManifest]:
        """The installed plugins."""
        from groundplan.service.plugins import installed

        return installed(self.store)

    @cached_property
    def fetch(self) -> Fetch:
        """What imports are fetched by."""
        from groundplan.service.fetching import HomeFetch

        return HomeFetch(self.manifests, self.store, self.home, offline=self.settings.sandboxed)

    def driver(self, policy: Policy, watch: Watch) -> LocalDriver:
        """Return a driver for one execution."""
        from groundplan.runtime.attempt import Attempts
        from groundplan.runtime.evaluation import Evaluator
        from groundplan.runtime.registry import Registry
        from groundplan.service.composition.steps import Composition

        children = Composition(store=self.store, library=self.library, home=self.home, fetch=self.fetch, clock=now)
        attempts = Attempts(
            registry=Registry(self.manifests.values()),
            children=children,
            store=self.store,
            surroundings=self.settings,
            evaluator=Evaluator.of_store(self.library, self.store),
        )
        return LocalDriver(
            store=self.store,
            library=self.library,
            attempts=attempts,
            children=children,
            policy=policy,
            watch=watch,
            clock=now,
        )

    def close(self) -> None:
        """Close the store, if it was opened."""
        if "store" in self.__dict__:
            self.store.close()


@contextmanager
def open_engine(environment: Mapping[str, str] = os.environ) -> Iterator[Engine]:
    """Open the home that the environment names, and close it at the end of the block."""
    engine = Engine(find_home(environment), environment)
    try:
        yield engine
    finally:
        engine.close()


def _upgrade(engine: Any) -> None:
    from groundplan.state.migrations import upgrade

    upgrade(engine)
