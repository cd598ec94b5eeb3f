"""A stage for each test, with a secret in its home: driven by `local` in this process, or on `temporal` by a worker."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from groundplan.model.secret import SecretValue
from groundplan.service.assembly import open_engine

from .stage import NOW, Stage

CANARY = "canary-sings-at-dawn"


@pytest.fixture(params=["local", pytest.param("temporal", marks=pytest.mark.live)])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """An empty home; what a test leaves running is ended."""
    temporal = (
        {}
        if request.param == "local"
        else {
            "GROUNDPLAN_TEMPORAL_ADDRESS": request.getfixturevalue("server").target,
            "GROUNDPLAN_TEMPORAL_SILENCE": "4",
        }
    )
    with _home(tmp_path, **temporal) as made:
        yield made


@pytest.fixture
def local_stage(tmp_path: Path) -> Iterator[Stage]:
    """The same for what this process alone can suffer: its driver dies between two statements."""
    with _home(tmp_path) as made:
        yield made


@contextmanager
def _home(folder: Path, **variables: str) -> Iterator[Stage]:
    with open_engine({"GROUNDPLAN_HOME": str(folder / "home"), **variables}) as engine:
        with engine.store.transaction() as transaction:
            transaction.put_secret("canary", SecretValue(text=CANARY), NOW)
        made = Stage(engine=engine, folder=folder / "shop")
        yield made
        made.close()
