"""An empty home for each test, and blueprints that do nothing but take time and leave marks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..proof.postgres import PostgresServer, postgres_server
from ..proof.user import User, user_in


@pytest.fixture
def user(tmp_path: Path) -> User:
    """A user with an empty home and no sandbox."""
    return user_in(tmp_path)


@pytest.fixture(scope="session")
def durable_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server that keeps what it committed, whatever happens to its processes."""
    with postgres_server(fsync="on", shared_buffers="32MB") as server:
        yield server
