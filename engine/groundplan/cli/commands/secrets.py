"""`groundplan secrets`: what blueprints read by `get_secret`."""

import sys
from pathlib import Path

import click

from groundplan.cli.options import as_json, engine, print_json, print_table
from groundplan.cli.views import records
from groundplan.diagnostics.trouble import UsageError
from groundplan.service import secrets as use_case
from groundplan.service.assembly import now
from groundplan.service.rekeying import rekey as use_rekey
from groundplan.service.revealing import note_reveal
from groundplan.state.keys import KEY_VARIABLE, decode_key


@click.group()
def secrets() -> None:
    """Keep secrets, sealed at rest."""


def _text(string: str | None, file: str | None) -> str:
    if (string is None) == (file is None):
        raise UsageError("Give the value by -s TEXT or by -f FILE.", fix="-f - reads standard input.")
    if string is not None:
        return string
    return _read(str(file))


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise UsageError(f"{'Standard input' if file == '-' else file} is no text in UTF-8.") from None


@secrets.command()
@click.argument("name")
@click.option("-s", "--secret-string", help="The value. It shows in the process list: prefer -f.")
@click.option("-f", "--secret-file", help="A file that holds the value; - is standard input.")
@click.option("-u", "--update-if-exists", is_flag=True, help="Change the secret if it is there already.")
def create(name: str, secret_string: str | None, secret_file: str | None, update_if_exists: bool) -> None:
    """Keep a secret under NAME."""
    text = _text(secret_string, secret_file)
    with engine() as opened:
        use_case.create(opened.store, name, text, now(), update=update_if_exists)
        click.echo(f"Secret {name} created")


@secrets.command(name="import")
@click.argument("file")
@click.option("--override-collisions", is_flag=True, help="Give secrets that have another value the new one.")
def import_(file: str, override_collisions: bool) -> None:
    """Take secrets from FILE: a JSON object name -> value, or `cfy secrets export`'s array; - is standard input."""
    document = _read(file)
    with engine() as opened:
        done = use_case.import_(opened.store, document, now(), override=override_collisions)
    for words, names in (("created", done.created), ("updated", done.updated), ("unchanged", done.unchanged)):
        if names:
            click.echo(f"{len(names)} {words}: {', '.join(names)}")


@secrets.command(name="list")
@as_json
def list_(as_json: bool) -> None:
    """List the names of secrets."""
    with engine(quiet=as_json) as opened:
        found = use_case.listing(opened.store)
    if as_json:
        print_json([records.secret(item) for item in found])
        return
    rows = [(item.name, records.moment(item.created_at), records.moment(item.updated_at)) for item in found]
    print_table(["key", "created_at", "updated_at"], rows, empty="No secrets yet.")


@secrets.command()
@click.argument("name")
@click.option("--reveal", is_flag=True, help="Show the value.")
@as_json
def get(name: str, reveal: bool, as_json: bool) -> None:
    """Show a secret; its value only with --reveal."""
    with engine(quiet=as_json) as opened:
        found = use_case.get(opened.store, name)
        if reveal:
            note_reveal(opened.store, f"secret {name}", now())
    value = found.text if reveal else "******"
    if as_json:
        print_json({"key": name, "value": value})
    else:
        click.echo(f"{name}: {value}")


@secrets.command()
@click.argument("name")
@click.option("-s", "--secret-string", help="The value. It shows in the process list: prefer -f.")
@click.option("-f", "--secret-file", help="A file that holds the value; - is standard input.")
def update(name: str, secret_string: str | None, secret_file: str | None) -> None:
    """Give a secret another value."""
    text = _text(secret_string, secret_file)
    with engine() as opened:
        use_case.change(opened.store, name, text, now())
        click.echo(f"Secret {name} updated")


@secrets.command()
@click.argument("name")
def delete(name: str) -> None:
    """Forget a secret."""
    with engine() as opened:
        use_case.delete(opened.store, name)
        click.echo(f"Secret {name} deleted")


@secrets.command()
@click.option("--new-key-file", help="A file that holds the new key, 32 bytes in base64; default: a random key.")
def rekey(new_key_file: str | None) -> None:
    """Change the key that seals the store: every sealed value is sealed again, all or none.

    The home's key file gets the new key. Where GROUNDPLAN_KEY gives the key, name the new one by --new-key-file and set
    the variable afterwards. Other homes that share the store need the new key too.
    """
    new = None if new_key_file is None else decode_key(_read(new_key_file), new_key_file)
    with engine() as opened:
        count = use_rekey(opened.store, opened.keys, new, now())
        place = KEY_VARIABLE if opened.keys.is_given else opened.keys.path
    click.echo(f"Sealed {count} rows with the new key")
    click.echo(f"Set {place} to it now" if place == KEY_VARIABLE else f"It is in {place}: keep a copy of it")
