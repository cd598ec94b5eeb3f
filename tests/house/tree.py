"""The repository as the house tests see it: its tracked files and what its modules import."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """One import of a module; `function` is the one it stands in, or empty."""

    module: str
    imported: str
    function: str = ""


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that is committed or about to be, relative to the root."""
    shown = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(Path(line) for line in shown.stdout.splitlines() if (ROOT / line).is_file())


@cache
def modules(*folders: str) -> dict[str, ast.Module]:
    """The syntax trees of the Python modules of engine and plugins, by dotted name."""
    chosen = folders or ("engine", "plugins")
    paths = [path for path in tracked() if path.suffix == ".py" and path.parts[0] in chosen]
    return {_name(path): ast.parse((ROOT / path).read_bytes()) for path in paths}


def imports(name: str, tree: ast.Module) -> Iterator[Import]:
    """Every import of a module, wherever it stands in it."""
    functions = {
        id(inner): node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        else:
            continue
        for imported in names:
            yield Import(module=name, imported=imported, function=functions.get(id(node), ""))


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
