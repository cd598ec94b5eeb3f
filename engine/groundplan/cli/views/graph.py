"""Shows a picture: which form it takes, and where it is written."""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from groundplan.diagnostics.trouble import UsageError
from groundplan.model.blueprint import Blueprint
from groundplan.service.assembly import Engine, now
from groundplan.service.pictures import following
from groundplan.service.pictures.mermaid import to_mermaid
from groundplan.service.pictures.picture import Picture

_BY_ENDING: Final = {".svg": "svg", ".png": "png", ".mmd": "mermaid", ".mermaid": "mermaid"}


def form_of(form: str | None, output: Path | None) -> str:
    """Return the form that was asked for, else the one that the file's name ends in, else `mermaid`.

    Raises:
        UsageError: the name's ending tells no form, or a drawing has no file to go to.
    """
    if output is None:
        if form not in (None, "mermaid"):
            raise UsageError(f"A drawing goes to a file: name it, for example -o graph.{form}.")
        return "mermaid"
    found = form or _BY_ENDING.get(output.suffix.lower())
    if found is None:
        raise UsageError(f"{output.name} ends in none of {', '.join(_BY_ENDING)}; say what to write with --format.")
    return found


def write(
    opened: Engine, file: Path, blueprint: Blueprint, inputs: Mapping[str, Any], form: str, output: Path | None
) -> None:
    """Write the picture of a blueprint to a file, or as Mermaid text to the screen."""
    picture = following.picture(opened.store, opened.library, _title(file, blueprint), blueprint, inputs, now())
    put(picture, form, output)


def put(picture: Picture, form: str, output: Path | None) -> None:
    """Write a picture to a file, or as Mermaid text to the screen."""
    if output is None:
        click.echo(to_mermaid(picture), nl=False)
        return
    content = to_mermaid(picture).encode() if form == "mermaid" else _drawer()(picture, form)
    try:
        output.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {output}")


def _drawer() -> Callable[..., bytes]:
    """Return `drawing.draw`, loaded when something is drawn: matplotlib takes a while, and need not be there."""
    try:
        draw: Callable[..., bytes] = importlib.import_module("groundplan.service.pictures.drawing").draw
    except ModuleNotFoundError as error:
        raise UsageError(
            f"Drawing needs {error.name}, which is not installed.",
            fix="Install it: pip install 'groundplan[graph]'. Mermaid needs nothing: --format mermaid.",
        ) from error
    return draw


def _title(file: Path, blueprint: Blueprint) -> str:
    named = blueprint.metadata.get("id") if isinstance(blueprint.metadata, dict) else None
    return str(named) if named else file.resolve().parent.name if file.name == "blueprint.yaml" else file.stem
