"""The hook for pre-commit: its entry, run as pre-commit runs it, on the files that it asks for."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from groundplan.diagnostics.report import Report
from groundplan.dsl.reader import read_data

ROOT = Path(__file__).parents[2]
GOOD = "tosca_definitions_version: cloudify_dsl_1_3\nnode_types: {a: {}}\n"
WRONG = GOOD + "node_templates: {b: {type: c}}\n"


@pytest.fixture
def hook() -> dict[str, Any]:
    path = ROOT / ".pre-commit-hooks.yaml"
    (found,) = read_data(path.read_bytes(), path.name, Report())
    assert isinstance(found, dict)
    return found


def commit(hook: dict[str, Any], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run the hook's entry on the files of a folder that it wants, by their relative names."""
    names = sorted(path.name for path in folder.iterdir() if re.search(hook["files"], path.name))
    path = f"{Path(sys.executable).parent}:{os.defpath}"
    return subprocess.run(
        [*shlex.split(hook["entry"]), *names],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), "GROUNDPLAN_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_good_blueprints_and_other_yaml_pass(hook: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "blueprint.yaml").write_text(GOOD)
    (tmp_path / "manifest.yml").write_text("kind: Pod\n---\nkind: Service\n")
    (tmp_path / "notes.txt").write_text("tosca_definitions_version: none")
    done = commit(hook, tmp_path)
    assert (done.returncode, done.stdout) == (0, "blueprint.yaml: valid\n")


def test_a_faulty_blueprint_stops_the_commit(hook: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "blueprint.yaml").write_text(WRONG)
    (tmp_path / "other.yml").write_text(GOOD)
    done = commit(hook, tmp_path)
    assert done.returncode == 2
    assert "blueprint.yaml:3:28" in done.stderr
    assert "other.yml: valid" in done.stdout


def test_it_is_a_hook_as_pre_commit_wants_it(hook: dict[str, Any]) -> None:
    assert hook["id"] == "groundplan-validate"
    assert hook["language"] == "python"
    assert re.search(hook["files"], "infra/vpc/aws-blueprint.yaml")
    assert not re.search(hook["files"], "README.md")
