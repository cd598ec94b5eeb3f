"""Programs for the children of the engine: the `ctx` command and the Python package `cloudify`.

They run in other processes, on this machine or on a remote host, and import nothing of the engine. This module gives
their texts and places; `machine` puts them on a child's paths, the ssh plugin copies them.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
"""The folder that a child's Python needs on its path for `from cloudify import ctx`."""

CLIENT: Final = HERE / "ctx.sh"
"""The `ctx` command: a program of sh that goes on in Python where there is one."""


@cache
def client() -> str:
    """Return the text of the `ctx` command."""
    return CLIENT.read_text()


@cache
def modules() -> Mapping[str, str]:
    """Return the text of each file of the package `cloudify`, by its path."""
    package = HERE / "cloudify"
    return {str(path.relative_to(HERE)): path.read_text() for path in sorted(package.glob("*.py"))}
