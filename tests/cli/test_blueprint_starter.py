"""`blueprints init`: what it lays out is valid, installs, and passes its own tests; nothing is overwritten."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from groundplan.cli.main import cli
from groundplan.diagnostics.trouble import Conflict


def init(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["blueprints", "init", *arguments], catch_exceptions=False, standalone_mode=False)


@pytest.mark.slow
def test_the_starter_passes_its_own_tests_whatever_the_path_and_the_store_of_the_user(tmp_path: Path) -> None:
    init(str(tmp_path / "new"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=tmp_path / "new",
        env={**os.environ, "PATH": os.defpath, "GROUNDPLAN_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_it_says_what_it_wrote(tmp_path: Path) -> None:
    written = [Path(line.removeprefix("Wrote ")) for line in init(str(tmp_path)).output.splitlines()[:-1]]
    assert {str(path.relative_to(tmp_path)) for path in written} == {
        "README.md",
        "blueprint.yaml",
        "scripts/greet.sh",
        "tests/test_blueprint.py",
    }
    assert os.access(tmp_path / "scripts" / "greet.sh", os.X_OK)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(Conflict):
        init(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "mine"
