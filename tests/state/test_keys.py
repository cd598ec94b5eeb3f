"""Where a home's key is kept, and which of two is the store's while it changes."""

from pathlib import Path

import pytest

from groundplan.diagnostics.trouble import UsageError
from groundplan.state.keys import HomeKeys

OLD, NEW = b"o" * 32, b"x" * 32
GIVEN = {"GROUNDPLAN_KEY": "eHh4" * 10 + "eHg="}


@pytest.fixture
def keys(tmp_path: Path) -> HomeKeys:
    """The keys of an empty home."""
    return HomeKeys(tmp_path, {})


def test_a_key_is_made_once_for_its_owner_alone(keys: HomeKeys) -> None:
    assert keys.choose(None) == keys.choose(None)
    assert keys.path.stat().st_mode & 0o777 == 0o600


def test_a_key_of_the_environment_wins(tmp_path: Path) -> None:
    assert HomeKeys(tmp_path, GIVEN).choose(None) == NEW
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize("text", ["short", "not base64 at all!", "eHh4"])
def test_a_malformed_key_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="GROUNDPLAN_KEY"):
        HomeKeys(tmp_path, {"GROUNDPLAN_KEY": text}).choose(None)


def test_no_key_is_made_for_a_store_that_another_one_sealed(keys: HomeKeys) -> None:
    with pytest.raises(UsageError, match=r"is missing \(looked for GROUNDPLAN_KEY and .*key\)"):
        keys.choose(OLD.__eq__)
    assert not keys.path.exists()


def test_another_key_is_told_with_where_it_was_found(keys: HomeKeys, tmp_path: Path) -> None:
    keys.choose(None)
    with pytest.raises(UsageError, match=str(keys.path)):
        keys.choose(OLD.__eq__)
    with pytest.raises(UsageError, match="GROUNDPLAN_KEY does not hold"):
        HomeKeys(tmp_path, GIVEN).choose(OLD.__eq__)


def test_a_key_file_that_others_may_read_is_refused(keys: HomeKeys) -> None:
    keys.choose(None)
    keys.path.chmod(0o644)
    with pytest.raises(UsageError, match="Others than its owner"):
        keys.choose(None)


def test_a_key_file_that_is_no_text_is_refused(keys: HomeKeys) -> None:
    keys.path.write_bytes(b"\xff\xfe")
    keys.path.chmod(0o600)
    with pytest.raises(UsageError):
        keys.choose(None)


def test_a_prepared_key_counts_when_the_store_took_it(keys: HomeKeys) -> None:
    old = keys.choose(None)
    keys.prepare(NEW)
    assert keys.choose(old.__eq__) == old
    assert keys.choose(NEW.__eq__) == NEW
    assert not keys.pending.exists()
    assert keys.choose(None) == NEW
