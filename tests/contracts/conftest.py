"""Parts that several suites have in common."""

from collections.abc import Iterator

import pytest

from ..proof.temporal import TemporalServer, temporal_server


@pytest.fixture(scope="session")
def server() -> Iterator[TemporalServer]:
    """Temporal's development server."""
    with temporal_server() as started:
        yield started
