"""Starting is quick because little is loaded, and what an extra brings is loaded only where it is used."""

import subprocess
import sys
from pathlib import Path

HEAVY = ("alembic", "cryptography", "jinja2", "msgspec", "rich", "sqlalchemy", "yaml")
EXTRAS = ("asyncssh", "boto3", "botocore", "kubernetes", "minio", "moto", "paramiko", "psycopg", "starlette", "uvicorn")
BLUEPRINT = """
tosca_definitions_version: cloudify_dsl_1_5
imports: [cloudify/types/types.yaml, plugin:groundplan-nop]
node_templates:
  one: {type: groundplan.nodes.Nop}
"""
RUN = "import sys; from groundplan.cli.main import run; code = run(sys.argv[1:]); "


def _python(program: str, home: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        env={"GROUNDPLAN_HOME": str(home), "PATH": "/usr/bin:/bin", "HOME": str(home), **variables},
    )


def test_asking_for_the_version_loads_nothing_heavy(tmp_path: Path) -> None:
    program = RUN + f"print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = _python(program, tmp_path, "--version")
    assert done.stdout.splitlines() == ["groundplan 0.1.0", "[]"]


def test_a_blueprint_without_plugins_is_validated_without_the_store(tmp_path: Path) -> None:
    file = tmp_path / "blueprint.yaml"
    file.write_text("tosca_definitions_version: cloudify_dsl_1_5\nimports: [cloudify/types/types.yaml]\n")
    unused = ("alembic", "cryptography", "jinja2", "sqlalchemy")
    program = RUN + f"print(code, sorted(set({unused!r}) & set(sys.modules)))"
    done = _python(program, tmp_path / "home", "blueprints", "validate", str(file))
    assert done.stdout.splitlines()[-1] == "0 []"
    assert not (tmp_path / "home").exists()


def test_asking_for_the_version_makes_no_home(tmp_path: Path) -> None:
    _python(RUN, tmp_path / "home", "--version")
    assert not (tmp_path / "home").exists()


def test_commands_are_listed_without_the_extras(tmp_path: Path) -> None:
    done = _without_extras(tmp_path, "--help")
    assert "executions" in done.stdout


def test_a_blueprint_is_validated_without_the_extras(tmp_path: Path) -> None:
    file = tmp_path / "blueprint.yaml"
    file.write_text(BLUEPRINT)
    done = _without_extras(tmp_path / "home", "blueprints", "validate", str(file))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_store_on_postgresql_without_its_client_is_told(tmp_path: Path) -> None:
    done = _without_extras(tmp_path, "deployments", "list", GROUNDPLAN_DATABASE_URL="postgresql://u:hunter2@h/db")
    assert done.returncode == 2
    assert "pip install 'groundplan[postgres]'" in done.stderr
    assert "hunter2" not in done.stderr


def _without_extras(home: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    blocked = "import sys; sys.modules.update(dict.fromkeys(" + repr(EXTRAS) + ")); "
    return _python(blocked + RUN + "sys.exit(code)", home, *arguments, **variables)
