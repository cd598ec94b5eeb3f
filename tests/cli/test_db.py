"""`groundplan db` at a terminal: where the passphrase comes from, and what a damaged store gives."""

import sqlite3
from pathlib import Path

import pytest

from ..proof.user import User, user_in

PASSPHRASE = "a passphrase of some length"


@pytest.fixture
def keeper(tmp_path: Path) -> User:
    """A user with a secret."""
    user = user_in(tmp_path / "one")
    user.ok("secrets", "create", "db", "-f", "-", stdin="hunter2hunter2")
    return user


def test_a_passphrase_comes_from_a_file_or_an_answer(keeper: User, tmp_path: Path) -> None:
    file = keeper.write("passphrase", f"{PASSPHRASE}\n")
    keeper.ok("db", "export", "moved", "--passphrase-file", file)
    target = user_in(tmp_path / "two")
    target.ok("db", "import", keeper.folder / "moved", stdin=f"{PASSPHRASE}\n")
    assert "hunter2hunter2" in target.ok("secrets", "get", "db", "--reveal")
    assert (target.home / "key").read_bytes() != (keeper.home / "key").read_bytes()


def test_a_short_passphrase_is_refused_and_none_is_needed_without_secrets(keeper: User) -> None:
    assert "shorter than" in keeper.refused(2, "db", "export", "moved", "--passphrase-file", keeper.write("p", "short"))
    keeper.ok("db", "export", "moved", "--without-secrets")
    assert b"hunter2hunter2" not in (keeper.folder / "moved").read_bytes()


def test_a_store_with_a_value_that_does_not_open_is_damaged(keeper: User) -> None:
    assert "sound" in keeper.ok("db", "check")
    connection = sqlite3.connect(keeper.home / "state.db")
    with connection:
        connection.execute("UPDATE secrets SET name = 'other'")
    connection.close()
    done = keeper.run("db", "check")
    assert done.returncode == 1
    assert "secrets/other does not open" in done.stdout
