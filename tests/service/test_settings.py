"""What binds a home to the sandbox, and what of the binding operations are told."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from groundplan.sdk.errors import NonRecoverableError
from groundplan.service.home import Home
from groundplan.service.settings import HomeSettings, sandbox_lives


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home that is bound to nothing."""
    return Home(path=tmp_path)


def bind(home: Home, **sections: object) -> None:
    """Write the binding as the sandbox does: whole, under another name first."""
    draft = home.binding.with_suffix(".new")
    draft.write_text(json.dumps(sections))
    draft.rename(home.binding)


@contextmanager
def living(home: Home) -> Iterator[None]:
    """Hold the sandbox's lock while the block runs."""
    home.sandbox_lock.parent.mkdir(exist_ok=True)
    descriptor = os.open(home.sandbox_lock, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield
    os.close(descriptor)


def test_a_home_without_a_binding_gives_no_settings(home: Home) -> None:
    settings = HomeSettings(home, {})
    settings.check()
    assert (settings.sandboxed, settings.settings("aws")) == (False, {})


def test_a_plugin_gets_its_own_section(home: Home) -> None:
    bind(home, aws={"endpoint": "http://127.0.0.1:1"}, ssh={})
    assert HomeSettings(home, {}).settings("aws") == {"endpoint": "http://127.0.0.1:1"}


def test_a_binding_that_changes_is_read_again(home: Home) -> None:
    settings = HomeSettings(home, {})
    bind(home, ssh={"hosts": 1})
    before = settings.settings("ssh")
    bind(home, ssh={"hosts": 2})
    assert (before, settings.settings("ssh")) == ({"hosts": 1}, {"hosts": 2})


def test_a_damaged_binding_is_told(home: Home) -> None:
    home.binding.write_text("{")
    with pytest.raises(NonRecoverableError, match="is damaged"):
        HomeSettings(home, {}).settings("aws")


def test_nothing_runs_while_the_sandbox_is_down(home: Home) -> None:
    bind(home)
    with pytest.raises(NonRecoverableError, match="groundplan sandbox up"):
        HomeSettings(home, {}).check()


def test_the_sandbox_lives_as_long_as_it_holds_its_lock(home: Home) -> None:
    bind(home)
    with living(home):
        HomeSettings(home, {}).check()
        assert sandbox_lives(home)
    assert not sandbox_lives(home)


@pytest.mark.parametrize(("said", "expected"), [("1", True), ("0", False), ("", False)])
def test_confinement_is_left_only_when_that_is_said(home: Home, said: str, expected: bool) -> None:
    assert HomeSettings(home, {"GROUNDPLAN_UNCONFINED": said}).unconfined is expected
