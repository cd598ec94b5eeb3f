"""The store that the contract is held against: SQLite on disk, made by its migrations."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from groundplan.state.migrations import upgrade
from groundplan.state.seal import Seal
from groundplan.state.sql.store import SqlStore

KEY = b"0123456789abcdef" * 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is kept."""
    return tmp_path / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    """An empty store."""
    opened = SqlStore(path, Seal(KEY), upgrade)
    yield opened
    opened.close()
