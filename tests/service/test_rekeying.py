"""The key changes whole or not at all, whatever moment the process ends at."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from groundplan.diagnostics.trouble import Conflict, UsageError
from groundplan.runtime.liveness import driver_name
from groundplan.service import secrets
from groundplan.service.assembly import Engine, open_engine
from groundplan.service.rekeying import rekey
from groundplan.state.keys import HomeKeys

from ..contracts.store.nouns import EXECUTION, fill

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GIVEN = {"GROUNDPLAN_KEY": "eHh4" * 10 + "eHg="}


class CutOff(HomeKeys):
    """Ends the process, as it were, before or after the store took the new key."""

    moment = "settle"

    def prepare(self, key: bytes) -> None:
        super().prepare(key)
        if self.moment == "prepare":
            raise KeyboardInterrupt

    def settle(self) -> None:
        raise KeyboardInterrupt


@pytest.fixture
def kept(engine: Engine) -> Engine:
    """An engine with a secret."""
    secrets.create(engine.store, "db", "hunter2", NOW)
    return engine


def secret_of(engine: Engine) -> str:
    """The secret as another process finds it."""
    with open_engine({"GROUNDPLAN_HOME": str(engine.home.path)}) as again:
        return secrets.get(again.store, "db").text


def test_the_key_file_gets_the_new_key(kept: Engine) -> None:
    old = kept.keys.path.read_bytes()
    assert rekey(kept.store, kept.keys, None, NOW) == 1
    assert kept.keys.path.read_bytes() != old
    assert not kept.keys.pending.exists()
    assert secret_of(kept) == "hunter2"


@pytest.mark.parametrize("moment", ["prepare", "settle"])
def test_a_change_that_is_cut_off_leaves_a_store_that_opens(kept: Engine, moment: str) -> None:
    keys = CutOff(kept.home.path, {})
    keys.moment = moment
    with pytest.raises(KeyboardInterrupt):
        rekey(kept.store, keys, None, NOW)
    assert keys.pending.exists()
    assert secret_of(kept) == "hunter2"
    assert keys.pending.exists() == (moment == "prepare")


def test_a_given_key_is_not_written_to_a_file(tmp_path: Path) -> None:
    environment = {"GROUNDPLAN_HOME": str(tmp_path), **GIVEN}
    with open_engine(environment) as engine:
        with pytest.raises(UsageError, match="GROUNDPLAN_KEY"):
            rekey(engine.store, engine.keys, None, NOW)
        rekey(engine.store, engine.keys, b"n" * 32, NOW)
    assert not (tmp_path / "key").exists()
    with open_engine(environment) as engine, pytest.raises(UsageError, match="GROUNDPLAN_KEY does not hold"):
        _ = engine.store


def test_the_key_does_not_change_under_a_driver(kept: Engine) -> None:
    with kept.store.transaction() as transaction:
        fill(transaction)
        transaction.acquire(EXECUTION.id, driver_name(), NOW)
    with pytest.raises(Conflict, match="is being driven"):
        rekey(kept.store, kept.keys, None, NOW)
    assert secret_of(kept) == "hunter2"
