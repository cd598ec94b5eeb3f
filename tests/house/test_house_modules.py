"""What every module looks like: its name, its docstring, and what it never does."""

import ast

import pytest

from .tree import modules

REFUSED_NAMES = {
    "utils",
    "helpers",
    "common",
    "misc",
    "base",
    "manager",
    "support",
    "handler",
    "data",
    "info",
}
MOST_DOCSTRING_LINES = 10
# Programs that run in a process of their own, where standard output is how they speak.
PROGRAMS = (
    "groundplan.runtime.foreign.programs",
    "groundplan_sandbox.machines.programs",
    "groundplan_sandbox.cells.inside",
)


@pytest.mark.parametrize("folder", ["engine", "plugins", "tests"])
def test_no_module_has_a_name_that_says_nothing(folder: str) -> None:
    refused = [name for name in modules(folder) if REFUSED_NAMES & set(name.split("."))]
    assert refused == []


def test_every_module_says_why_it_exists() -> None:
    silent = [name for name, tree in modules().items() if not ast.get_docstring(tree)]
    assert silent == []


def test_what_a_module_says_of_itself_is_short() -> None:
    long = [
        name
        for name, tree in modules().items()
        if len((ast.get_docstring(tree) or "").splitlines()) > MOST_DOCSTRING_LINES
    ]
    assert long == []


def test_every_public_name_of_the_engine_is_explained() -> None:
    silent = [
        f"{name}.{node.name}"
        for name, tree in modules("engine").items()
        for node in tree.body
        if name.startswith("groundplan.") and _is_public(node) and not ast.get_docstring(node)
    ]
    assert silent == []


def test_nothing_is_printed_but_by_the_doors() -> None:
    talkers = [
        name
        for name, tree in modules().items()
        if not name.startswith(PROGRAMS) and any(_is_print(node) for node in ast.walk(tree))
    ]
    assert talkers == []


def _is_public(node: ast.stmt) -> bool:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return isinstance(node, kinds) and not node.name.startswith("_")


def _is_print(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
