"""Fixtures for tests of the driver: a store on disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .rehearsal import Rehearsal, open_store


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[Rehearsal]:
    """An empty store with what tests do in it."""
    store = open_store(tmp_path / "state.db")
    yield Rehearsal(store=store)
    store.close()
