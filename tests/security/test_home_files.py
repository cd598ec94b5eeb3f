"""What a home holds is its owner's alone, whatever the umask and whoever made the folder."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from groundplan.diagnostics.trouble import UsageError
from groundplan.service import secrets
from groundplan.service.assembly import now, open_engine


@pytest.fixture(autouse=True)
def generous_umask() -> Iterator[None]:
    """A umask that lets everybody do everything."""
    before = os.umask(0)
    yield
    os.umask(before)


def use(home: Path) -> None:
    """Write something, and look at the files while the log of the database is there."""
    with open_engine({"GROUNDPLAN_HOME": str(home)}) as engine, engine.store.transaction() as transaction:
        assert transaction.blueprints() == []
        open_to_others = [path for path in home.iterdir() if path.stat().st_mode & 0o077]
    assert open_to_others == []


def test_a_new_home_is_shut(tmp_path: Path) -> None:
    use(tmp_path / "home")
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_the_files_of_an_open_folder_are_shut(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    use(home)


def test_a_database_that_was_open_is_shut(tmp_path: Path) -> None:
    home = tmp_path / "home"
    use(home)
    (home / "state.db").chmod(0o644)
    use(home)


def test_a_home_that_everybody_may_write_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o777)
    with pytest.raises(UsageError, match="Everybody may write"):
        use(home)


def test_the_store_of_another_home_does_not_open_with_this_ones_key(tmp_path: Path) -> None:
    for name in ("one", "other"):
        with open_engine({"GROUNDPLAN_HOME": str(tmp_path / name)}) as engine:
            secrets.create(engine.store, "token", f"value of {name}", now())
    (tmp_path / "one" / "state.db").replace(tmp_path / "other" / "state.db")
    with open_engine({"GROUNDPLAN_HOME": str(tmp_path / "other")}) as engine, pytest.raises(UsageError) as told:
        secrets.get(engine.store, "token")
    assert str(tmp_path / "other" / "key") in str(told.value)
