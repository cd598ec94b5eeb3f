"""The recipe of `make live`: builds once per pin, says what is missing.

A stand-in for `go` takes the place of the compiler.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BUILD = Path(__file__).parent / "build.py"
GO = """#!/bin/sh
for last in "$@"; do :; done
echo "$last" >> "{calls}"
{act}
"""


class Recipe:
    """build.py with a cache and a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.programs, self.cache, self.calls = folder / "bin", folder / "cache", folder / "calls"
        self.programs.mkdir()

    def go(self, act: str) -> None:
        program = self.programs / "go"
        program.write_text(GO.format(calls=self.calls, act=act))
        program.chmod(0o755)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.cache), "PATH": f"{self.programs}:/usr/bin:/bin"}
        command = [sys.executable, str(BUILD), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)

    @property
    def built(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    made = Recipe(tmp_path)
    made.go('echo program > "$GOBIN/minio"')
    return made


def test_a_program_is_built_once_at_its_pinned_version(recipe: Recipe) -> None:
    assert [recipe.run("minio").returncode for _ in range(2)] == [0, 0]
    assert len(recipe.built) == 1
    assert recipe.built[0].startswith("github.com/minio/minio@v0.0.0-")
    assert (recipe.cache / "groundplan/live/bin/minio").read_text() == "program\n"
    assert "minio\tready" in recipe.run("--list").stdout


def test_another_pin_builds_again(recipe: Recipe) -> None:
    recipe.run("minio")
    (recipe.cache / "groundplan/live/bin/minio.version").write_text("github.com/minio/minio@v0.0.0-earlier")
    assert "minio\tmissing" in recipe.run("--list").stdout
    recipe.run("minio")
    assert len(recipe.built) == 2


def test_a_failed_build_says_why_and_keeps_nothing(recipe: Recipe) -> None:
    recipe.go("echo 'no space left on device' >&2; exit 7")
    ended = recipe.run("minio")
    assert ended.returncode == 1
    assert "exit code 7" in ended.stderr
    assert "no space left on device" in ended.stderr
    assert not list((recipe.cache / "groundplan/live").rglob("bin/*"))


def test_without_go_it_says_what_to_install(recipe: Recipe) -> None:
    (recipe.programs / "go").unlink()
    if shutil.which("go", path="/usr/bin:/bin"):
        pytest.skip("this machine has Go among its own programs")
    ended = recipe.run("minio")
    assert ended.returncode == 1
    assert "install Go" in ended.stderr


def test_what_nobody_can_fetch_is_asked_for(recipe: Recipe) -> None:
    if any(shutil.which(name, path="/usr/bin:/bin") for name in ("terraform", "tofu")):
        pytest.skip("this machine has Terraform among its own programs")
    assert "no `terraform` or `tofu` on the PATH; install it" in recipe.run("terraform").stderr
    (recipe.programs / "tofu").write_text("")
    (recipe.programs / "tofu").chmod(0o755)
    assert recipe.run("terraform").returncode == 0


def test_the_tools_of_a_module_are_built_together(recipe: Recipe) -> None:
    recipe.go(
        "for name in server kube-apiserver kube-controller-manager kube-scheduler kubectl kwok; do "
        'echo "$name" > "$GOBIN/$name"; done'
    )
    assert [recipe.run("control-plane").returncode for _ in range(2)] == [0, 0]
    assert recipe.built == ["tool"]
    assert (recipe.cache / "groundplan/live/bin/etcd").read_text() == "server\n"
    (recipe.cache / "groundplan/live/bin/kwok").unlink()
    assert "control-plane\tmissing" in recipe.run("--list").stdout


def test_unknown_parts_are_refused(recipe: Recipe) -> None:
    assert recipe.run("tardis").returncode == 2
