"""Parts that several suites have in common."""

from collections.abc import Iterator

import pytest

from ..proof.temporal import TemporalServer, temporal_server


@pytest.fixture(scope="module")
def server() -> Iterator[TemporalServer]:
    """Temporal's development server, of one module: a version that a test makes current binds all later workers."""
    with temporal_server() as started:
        yield started
