"""Where the tests find the programs that `build.py` makes. It builds none: `make live` does, before the tests."""

import os
from pathlib import Path

import pytest


def folder() -> Path:
    """The folder of the built programs: `$XDG_CACHE_HOME/groundplan/live/bin`, by default below `~/.cache`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("GROUNDPLAN_LIVE_BIN") or cache / "groundplan" / "live" / "bin")


def program(name: str) -> Path:
    """A built program; the test fails without it, for `make live` was to bring it."""
    found = folder() / name
    if not found.exists():
        pytest.fail(f"{name} is not at {found}: build it with `make live`")
    return found
