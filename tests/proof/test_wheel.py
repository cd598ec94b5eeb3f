"""A wheel built from the tree works alone: installed in an environment that holds nothing else of the project."""

import subprocess
import sys
import sysconfig
import venv
from dataclasses import replace
from pathlib import Path

import pytest

from .user import ROOT, User

pytestmark = pytest.mark.slow

SHOP = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml, plugin:groundplan-nop]
    node_templates:
      shop: {type: groundplan.nodes.Nop}
"""


@pytest.fixture
def alone(user: User, tmp_path: Path) -> User:
    """A user whose `groundplan` comes from the wheel; the libraries it needs are lent to its environment."""
    built = tmp_path / "dist"
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(built), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, text=True, timeout=120)
    (wheel,) = built.glob("groundplan-*.whl")
    return install(user, wheel, tmp_path / "environment")


def install(user: User, wheel: Path, folder: Path) -> User:
    """Unpack the wheel into a new environment as pip does; return the user who has it on the path."""
    venv.create(folder, with_pip=False)
    site = Path(sysconfig.get_path("purelib", "venv", vars={"base": str(folder)}))
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python")]
    offline = ["install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, *offline, str(wheel)], check=True, capture_output=True, text=True, timeout=120)
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return replace(user, program=[str(folder / "bin/groundplan")])


def test_it_validates_uploads_and_installs(alone: User, tmp_path: Path) -> None:
    assert alone.ok("--version").startswith("groundplan ")
    file = alone.write("shop/blueprint.yaml", SHOP)
    assert "valid" in alone.ok("blueprints", "validate", file)
    alone.upload("shop", SHOP)
    alone.ok("deployments", "create", "shop", "-b", "shop")
    alone.install("shop")
    assert alone.states("shop") == {"shop": "started"}
    assert "sandbox" in alone.ok("--help")
    place = "import groundplan_sandbox; print(groundplan_sandbox.__file__)"
    python = [str(tmp_path / "environment/bin/python"), "-P", "-c", place]
    said = subprocess.run(python, check=True, capture_output=True, text=True, cwd=tmp_path).stdout
    assert said.startswith(str(tmp_path)), "it is not the wheel's"
