"""The drivers: `local` in this process, and `temporal` on the real development server, which `make live` builds."""

from collections.abc import Iterator

import pytest

from ...runtime.rehearsal import Rehearsal, open_store
from .stages import LocalStage, Stage, TemporalStage


@pytest.fixture(params=["local", pytest.param("temporal", marks=pytest.mark.live)])
def stage(request: pytest.FixtureRequest, tmp_path) -> Iterator[Stage]:
    """A driver with an empty store."""
    store = open_store(tmp_path / "state.db")
    rehearsal = Rehearsal(store=store)
    if request.param == "local":
        yield LocalStage(rehearsal=rehearsal)
    else:
        yield TemporalStage(rehearsal=rehearsal, target=request.getfixturevalue("server").target)
    store.close()
