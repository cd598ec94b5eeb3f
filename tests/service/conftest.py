"""A home of its own for each test, and blueprints written into folders."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from groundplan.service.assembly import Engine, open_engine

HEAD = "tosca_definitions_version: cloudify_dsl_1_5\nimports: [cloudify/types/types.yaml, plugin:groundplan-nop]\n"
Write = Callable[..., Path]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """The engine of an empty home."""
    with open_engine({"GROUNDPLAN_HOME": str(tmp_path / "home")}) as opened:
        yield opened


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a blueprint into a folder and return its file; the head is added."""

    def to_file(body: str, folder: str = "shop", name: str = "blueprint.yaml") -> Path:
        file = tmp_path / folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(HEAD + body)
        return file

    return to_file
