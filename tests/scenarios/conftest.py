"""A terminal with a home of its own, and blueprints to write for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from groundplan.cli import main

HEAD = "tosca_definitions_version: cloudify_dsl_1_5\nimports: [cloudify/types/types.yaml, plugin:groundplan-nop]\n"
Run = Callable[..., str]
Write = Callable[[str, str], str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line and return what it printed; the exit code must be the one that is expected."""
    monkeypatch.setenv("GROUNDPLAN_HOME", str(tmp_path / "home"))

    def command(*arguments: str, code: int = 0) -> str:
        found = main.run([*arguments])
        printed = capsys.readouterr()
        assert found == code, printed.out + printed.err
        return printed.out if code == 0 else printed.out + printed.err

    return command


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a blueprint into a folder of its name and return its file; the head is added."""

    def to_file(name: str, body: str) -> str:
        file = tmp_path / name / "blueprint.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(HEAD + body)
        return str(file)

    return to_file
