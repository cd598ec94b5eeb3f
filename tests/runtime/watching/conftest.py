"""A collector that keeps what it is sent."""

from collections.abc import Iterator

import pytest

from .collector import Collector, collecting


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found
