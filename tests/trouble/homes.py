"""Homes that many tests begin with: made once for a process of tests, and copied for each."""

import atexit
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from ..proof.user import User

_MADE: Final[dict[object, Path]] = {}


def settle(user: User, blueprints: Mapping[str, str], *commands: Sequence[str]) -> None:
    """Have the empty home of a user as it is when these blueprints are uploaded and these commands have succeeded.

    The blueprints' files are in the user's folder then, each in one of its blueprint's name.
    """
    files = {name: user.write(f"{name}/blueprint.yaml", text) for name, text in blueprints.items()}
    everything = [*(["blueprints", "upload", str(file), "-b", name] for name, file in files.items()), *commands]
    if "GROUNDPLAN_DATABASE_URL" in user.variables:
        user.all_ok(*everything)
        return
    key = (tuple(blueprints.items()), tuple(map(tuple, commands)))
    if key not in _MADE:
        folder = Path(tempfile.mkdtemp(prefix="groundplan-home-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        replace(user, home=folder / "home").all_ok(*everything)
        _MADE[key] = folder / "home"
    shutil.copytree(_MADE[key], user.home)
