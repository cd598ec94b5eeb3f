"""Puts the engine together: the one place that chooses the store; `driving` adds the driver.

Imports that only some commands need are made where they are used, so that a command that lists stays quick.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from groundplan.dsl.fetch import Fetch
from groundplan.model.plugin import PluginManifest
from groundplan.runtime.library import Library
from groundplan.runtime.observer import Observer
from groundplan.service.blueprint_files import BlueprintFiles
from groundplan.service.home import Home, find_home, prepare
from groundplan.service.settings import HomeSettings
from groundplan.state.keys import HomeKeys
from groundplan.state.store import Store

_logger = logging.getLogger(__name__)
DATABASE_VARIABLE: Final = "GROUNDPLAN_DATABASE_URL"
OBSERVE_VARIABLE: Final = "GROUNDPLAN_OBSERVE"
"""What is watched; see `observing`."""


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
        return self._open()

    def upgrade(self) -> str:
        """Bring the store up to date, where opening it would not (see `store`), and return its revision."""
        store = self._open(upgrades=True)
        store.close()
        return store.revision

    def _open(self, *, upgrades: bool = False) -> Store:
        from groundplan.state.sql.dialect import Dialect
        from groundplan.state.sql.postgresql import parse_url
        from groundplan.state.sql.sqlite import Sqlite
        from groundplan.state.sql.store import SqlStore

        url = self._environment.get(DATABASE_VARIABLE)
        dialect: Dialect = parse_url(url, DATABASE_VARIABLE) if url else Sqlite(self.home.database)
        prepare(self.home)
        return SqlStore(dialect, self.keys, _upgrade, upgrades=upgrades)

    @cached_property
    def keys(self) -> HomeKeys:
        """Where the store's key is kept."""
        return HomeKeys(self.home.path, self._environment)

    @cached_property
    def settings(self) -> HomeSettings:
        """What the home says about where operations run."""
        return HomeSettings(
            self.home,
            self._environment,
            blueprint_folder=self.files.folder,
            imported_folder=self.files.folder_of,
        )

    @cached_property
    def files(self) -> BlueprintFiles:
        """Files of uploaded blueprints."""
        return BlueprintFiles(self.home, lambda: self.store)

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment that the engine was opened with."""
        return self._environment

    @property
    def limit(self) -> int:
        """How many executions may run at once in the store.

        Raises:
            UsageError: the environment says no number.
        """
        from groundplan.service.queue import limit

        return limit(self._environment)

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
        """What imports are fetched by. It opens the store, and reads the import rules, when something is fetched."""
        from groundplan.service.fetching import HomeFetch
        from groundplan.service.import_rules import read_rules

        return HomeFetch(
            lambda: self.manifests,
            lambda: self.store,
            self.files,
            rules=lambda: read_rules(self._environment),
            offline=self.settings.sandboxed,
        )

    @cached_property
    def observer(self) -> Observer | None:
        """Who watches from outside, or None: made by the commands that drive something.

        Raises:
            UsageError: what the environment says of it cannot be had.
        """
        from groundplan.service.observing import make_observer, read_observing

        observing = read_observing(self._environment)
        return None if observing is None else make_observer(observing, self.store, _logger.warning)

    def close(self) -> None:
        """Close the observer, and the store, as far as they were opened."""
        if self.__dict__.get("observer") is not None:
            self.__dict__["observer"].close()
        if "store" in self.__dict__:
            self.store.close()


@contextmanager
def open_engine(environment: Mapping[str, str] = os.environ) -> Iterator[Engine]:
    """Open the home that the environment names, and close it at the end of the block.

    Raises:
        UsageError: the environment wants something watched that cannot be.
    """
    if environment.get(OBSERVE_VARIABLE):
        from groundplan.service.observing import read_observing

        read_observing(environment)
    engine = Engine(find_home(environment), environment)
    try:
        yield engine
    finally:
        engine.close()


def _upgrade(engine: Any) -> None:
    from groundplan.state.migrations import upgrade

    upgrade(engine)
