"""`groundplan db`: the store itself: checked, upgraded, and moved from one database to another."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from groundplan.cli.options import as_json, engine, print_json
from groundplan.diagnostics.trouble import UsageError
from groundplan.diagnostics.visible import visible
from groundplan.service.assembly import open_engine

PASSPHRASE_VARIABLE = "GROUNDPLAN_EXPORT_PASSPHRASE"  # noqa: S105 - a name
_SHORTEST = 8


@click.group()
def db() -> None:
    """Check, upgrade and move the store.

    It is a SQLite file in the home, or the PostgreSQL database that GROUNDPLAN_DATABASE_URL names.
    """


@db.command()
@as_json
def check(as_json: bool) -> None:
    """Read the whole store and say whether it is sound: 0 when it is, 1 when it is damaged or out of reach.

    It connects, compares the revision of the tables, tries the key, opens every sealed value, has the database check
    itself, and sees that each blueprint and deployment has its plan. A store that awaits an upgrade, and a missing or
    wrong key, end with 2.
    """
    with engine(quiet=as_json) as opened:
        found = opened.store.examine()
    if as_json:
        print_json(
            {
                "store": found.place,
                "revision": found.revision,
                "rows": found.rows,
                "sealed_values": found.sealed,
                "faults": list(found.faults),
            }
        )
    else:
        click.echo(f"store     {found.place}")
        click.echo(f"revision  {found.revision}, the newest that this version knows")
        click.echo(f"key       opens the store; it sealed {found.sealed} values")
        click.echo(f"rows      {found.rows} read")
        for fault in found.faults:
            click.echo(f"fault     {visible(fault)}")
        click.echo("sound" if not found.faults else "damaged: put a copy of the store back")
    if found.faults:
        click.get_current_context().exit(1)


@db.command()
def upgrade() -> None:
    """Bring the tables to the form that this version writes; stop what uses the store first.

    A store in a home's file is upgraded by the first command that opens it. One on PostgreSQL waits for this command,
    since other machines may still use it with an older version.
    """
    with open_engine() as opened:
        revision = opened.upgrade()
    click.echo(f"The store has revision {revision}")


def _passphrase_file(function: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--passphrase-file",
        metavar="FILE",
        help=f"A file whose first line is the passphrase; else {PASSPHRASE_VARIABLE}, else a prompt.",
    )(function)


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
@_passphrase_file
@click.option("--without-secrets", is_flag=True, help="Do not seal; leave out secrets and sensitive values instead.")
def export(file: Path, passphrase_file: str | None, without_secrets: bool) -> None:
    """Write everything that the store has into FILE, sealed with a passphrase."""
    from groundplan.service import moving

    passphrase = None if without_secrets else _passphrase(passphrase_file, confirm=True)
    with engine() as opened:
        moved = moving.export(opened.store, opened.home, file, passphrase)
    click.echo(f"Exported {moved.rows} rows and {moved.files} files of deployments to {file}")


@db.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@_passphrase_file
def import_(file: Path, passphrase_file: str | None) -> None:
    """Fill an empty store with what `db export` wrote into FILE; values are sealed with this store's own key."""
    from groundplan.service import moving

    with engine() as opened:
        moved = moving.import_(opened.store, opened.home, file, partial(_passphrase, passphrase_file))
    click.echo(f"Imported {moved.rows} rows and {moved.files} files of deployments from {file}")


def _passphrase(file: str | None, *, confirm: bool = False) -> str:
    if file is not None:
        try:
            found = Path(file).read_text(encoding="utf-8").partition("\n")[0]
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}."
            ) from error
    else:
        found = os.environ.get(PASSPHRASE_VARIABLE) or click.prompt(
            "Passphrase", hide_input=True, confirmation_prompt=confirm, err=True
        )
    if confirm and len(found) < _SHORTEST:
        raise UsageError(f"The passphrase is shorter than {_SHORTEST} characters.", fix="Take a longer one.")
    return found
