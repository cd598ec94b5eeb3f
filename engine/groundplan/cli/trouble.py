"""Words and exit codes for trouble that reaches the terminal (see `main`)."""

import traceback

import click

from groundplan.diagnostics.render import render
from groundplan.diagnostics.trouble import UsageError
from groundplan.diagnostics.visible import visible
from groundplan.planning.evaluation import EvaluationFault
from groundplan.service.blueprints import Refused
from groundplan.state.store import StaleLease, StoreFault


def explain(error: Exception) -> int:
    """Print what went wrong on standard error and return the exit code."""
    if isinstance(error, Refused):
        click.echo(render(error.report), err=True)
        return 2 if error.report.has_errors else _say(error.message, "", 2)
    if isinstance(error, UsageError):
        return _say(error.message, error.fix, 2)
    if isinstance(error, StoreFault):
        return _say(error.message, error.fix, 1)
    if isinstance(error, EvaluationFault):
        return _say(f"{error.message} (in {error.path})", "", 1)
    if isinstance(error, StaleLease):
        return _say(str(error), "What it had committed stands; the other driver goes on from there.", 1)
    if isinstance(error, OSError):
        return _say(f"{error.filename or 'The system'}: {error.strerror or error}", "", 1)
    click.echo("".join(traceback.format_exception(error)), err=True)
    return _say("This is a fault of Groundplan itself. Please report it with the lines above.", "", 70)


def _say(message: str, fix: str, code: int) -> int:
    click.echo(f"error: {visible(message)}", err=True)
    if fix:
        click.echo(f"  = fix: {fix}", err=True)
    return code
