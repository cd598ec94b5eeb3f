"""The demo as a newcomer meets it, in a checkout of its own: up, up again, down; and what it refuses."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    for part in "blueprints", "docs/tutorial":
        shutil.copytree(ROOT / part, tmp_path / part)
    shutil.copy(ROOT / "secrets.example.json", tmp_path)
    yield tmp_path
    demo(tmp_path, "down")


def demo(checkout: Path, verb: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(checkout / "docs/tutorial/demo.py"), verb],
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def typed(run: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.removeprefix("$ ") for line in run.stdout.splitlines() if line.startswith("$ ")]


def test_a_whole_demo_comes_up_stays_up_and_goes_without_a_trace(checkout: Path) -> None:
    first = demo(checkout, "up")
    assert first.returncode == 0, first.stdout
    assert typed(first)[0] == "export GROUNDPLAN_HOME=$PWD/.demo"
    assert "groundplan executions start install -d app_dev_small" in typed(first)
    assert "Available=True  2/2 replicas available" in first.stdout
    assert (checkout / ".demo/kubeconfig").stat().st_mode & 0o777 == 0o600

    again = demo(checkout, "up")
    assert again.returncode == 0, again.stdout
    assert "app_dev_small is installed." in again.stdout
    assert not [line for line in typed(again) if " create " in line or " start " in line]

    down = demo(checkout, "down")
    assert down.returncode == 0, down.stdout
    assert "Nothing is left" in down.stdout
    assert not (checkout / ".demo").exists()


def test_an_environment_that_is_not_known_is_told_and_nothing_is_begun(checkout: Path) -> None:
    refused = demo(checkout, "up", ENV_TYPE="staging")
    assert refused.returncode == 2
    assert "must be one of dev-small, dev-large, production" in refused.stdout
    assert not (checkout / ".demo").exists()


def test_taking_down_while_production_installs_cancels_and_uninstalls(checkout: Path) -> None:
    # Slow enough that the install still runs when the commands of `down`, on a busy machine, come to cancel it.
    groundplan = Path(sys.executable).with_name("groundplan")
    home = os.environ | {"GROUNDPLAN_HOME": str(checkout / ".demo")}
    subprocess.run([groundplan, "sandbox", "up", "--state-delay", "2"], env=home, check=True, capture_output=True)
    command = [sys.executable, str(checkout / "docs/tutorial/demo.py"), "up"]
    variables = os.environ | {"ENV_TYPE": "production"}
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as up:
        assert up.stdout is not None
        assert any("<aws-production-vpc> Starting 'install'" in line for line in up.stdout)
        down = demo(checkout, "down")
        assert "was cancelled" in up.stdout.read()
    assert down.returncode == 0, down.stdout
    assert not (checkout / ".demo").exists()


def test_taking_down_what_is_not_there_is_fine(checkout: Path) -> None:
    assert demo(checkout, "down").returncode == 0
