"""A stage for each test, with a secret in its home."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from groundplan.model.secret import SecretValue
from groundplan.service.assembly import open_engine

from .stage import NOW, Stage

CANARY = "canary-sings-at-dawn"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """An empty home; what a test leaves running is ended."""
    with open_engine({"GROUNDPLAN_HOME": str(tmp_path / "home")}) as engine:
        with engine.store.transaction() as transaction:
            transaction.put_secret("canary", SecretValue(text=CANARY), NOW)
        yield Stage(engine=engine, folder=tmp_path / "shop")
