"""Options and arguments that several commands share, and the opening of the engine for one command."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from groundplan.diagnostics.visible import visible
from groundplan.service.assembly import Engine, open_engine

F = TypeVar("F", bound=Callable[..., Any])


def as_json(function: F) -> F:
    """Add `--json` to a command that reads."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")(function)


def given_inputs(function: F) -> F:
    """Add `-i/--inputs`."""
    return click.option(
        "-i",
        "--inputs",
        multiple=True,
        metavar="INPUTS",
        help="Inputs: k=v;k2=v2, a YAML file, a folder or pattern of such, JSON or YAML. Repeatable; later wins.",
    )(function)


def given_parameters(function: F) -> F:
    """Add `-p/--parameters`."""
    return click.option(
        "-p",
        "--parameters",
        multiple=True,
        metavar="PARAMETERS",
        help="Parameters of the workflow, in the forms of --inputs. Repeatable; later wins.",
    )(function)


def reveal_option(function: F) -> F:
    """Add `--reveal`."""
    return click.option("--reveal", is_flag=True, help="Show sensitive values; leaves an event.")(function)


@contextmanager
def engine(*, quiet: bool = False) -> Iterator[Engine]:
    """Open the home for one command; a home that is bound to the sandbox says so first.

    Args:
        quiet: say nothing of that: the output is for machines.
    """
    with open_engine() as opened:
        if opened.settings.sandboxed and not quiet:
            click.echo(f"sandbox (home {opened.home.path})")
        yield opened


def print_json(document: Any) -> None:
    """Print a JSON document."""
    click.echo(json.dumps(document, indent=2, default=str))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Print rows as a table that fits the terminal, or a sentence when there are none."""
    if not rows:
        click.echo(empty)
        return
    from groundplan.cli.views.table import show

    show(columns, rows)


def print_record(record: Mapping[str, Any]) -> None:
    """Print the fields of one thing, a line each."""
    width = max(map(len, record)) + len(": ")
    for key, value in record.items():
        click.echo(f"{key + ':':{width}}{'-' if value in (None, '', [], {}) else visible(str(value))}")
