"""What terraform finds in a bound home, without terraform: the mirror, its configuration, how the provider starts.

What the provider makes is shown with the real binary, in `tests/proof/test_published_terraform.py`.
"""

import signal
import subprocess
from pathlib import Path

import pytest

from groundplan_sandbox.terraform.aws.rows import ROWS
from groundplan_sandbox.terraform.mirror import Providers, lay_mirror

URL = "http://127.0.0.1:1"


def mirrored(folder: Path) -> Providers:
    return lay_mirror(folder / "terraform", URL)


def test_the_mirror_is_all_there_is(tmp_path: Path) -> None:
    found = mirrored(tmp_path)
    configuration = Path(found.environment["TF_CLI_CONFIG_FILE"]).read_text()

    assert str(tmp_path / "terraform" / "mirror") in configuration
    assert "direct" not in configuration
    assert found.environment["AWS_ENDPOINT_URL"] == URL


def test_the_provider_starts_as_terraform_wants_it_and_outlives_an_interrupt(tmp_path: Path) -> None:
    mirrored(tmp_path)
    program = next((tmp_path / "terraform" / "mirror").rglob("terraform-provider-aws_v3.22.0"))
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen([program], env=environment, stdout=subprocess.PIPE, text=True) as provider:
        assert provider.stdout is not None
        core, protocol, network, *_ = provider.stdout.readline().split("|")
        provider.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            provider.wait(0.5)
        provider.terminate()

    assert (core, protocol, network) == ("1", "6", "unix")


def test_the_modules_need_no_resource_that_the_stand_in_lacks(tmp_path: Path) -> None:
    known = {f"aws_{row.name}" for row in ROWS}
    for folder in mirrored(tmp_path).modules.values():
        lines = (Path(folder) / "main.tf").read_text().splitlines()
        assert {line.split('"')[1] for line in lines if line.startswith("resource ")} <= known
