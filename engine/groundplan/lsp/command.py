"""`groundplan lsp`: the language server on standard input and output, as editors start it."""

import importlib

import click

from groundplan.diagnostics.trouble import UsageError
from groundplan.lsp.home import EngineHome
from groundplan.service.assembly import open_engine


@click.command()
@click.option("--stdio", is_flag=True, help="Speak over standard input and output: the only way, and the default.")
def lsp(stdio: bool) -> None:
    """Serve editors: faults as you type, completion, documentation, definitions, renaming.

    Speaks the Language Server Protocol on standard input and output; editors start it.
    """
    try:
        make_server = importlib.import_module("groundplan.lsp.server").make_server
    except ModuleNotFoundError as error:
        raise UsageError(
            f"The language server needs {error.name}, which is not installed.",
            fix="Install it: pip install 'groundplan[lsp]'.",
        ) from error
    with open_engine() as engine:
        make_server(EngineHome(engine)).start_io()
