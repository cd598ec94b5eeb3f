"""Progress of an execution: a live tree of deployments and node instances on a terminal, lines of events elsewhere."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import click

from groundplan.cli.views.lines import line
from groundplan.model.execution import EventType, Execution
from groundplan.model.ids import DeploymentId
from groundplan.state.store import Batch

_HIDDEN: Final = frozenset({EventType.SENDING_TASK})


class Progress(Protocol):
    """Shows what was committed."""

    def committed(self, batch: Batch) -> None: ...
    def say(self, text: str) -> None: ...


class Quiet:
    """Shows nothing: the output is for machines."""

    def committed(self, batch: Batch) -> None:
        """Drop it."""

    def say(self, text: str) -> None:
        """Tell people on standard error."""
        click.echo(text, err=True)


class Lines:
    """One line an event. The work goes on when its reader goes away (`| head`): the store keeps the events."""

    def committed(self, batch: Batch) -> None:
        """Print the events of a batch."""
        lines = [line(event) for event in batch.events if event.type not in _HIDDEN and event.level != "debug"]
        if lines:
            self.say("\n".join(lines))

    def say(self, text: str) -> None:
        """Print a line."""
        try:
            click.echo(text)
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)


@contextmanager
def progress(execution: Execution, size_of: Callable[[DeploymentId], int], *, quiet: bool) -> Iterator[Progress]:
    """Show an execution's progress while the block runs, in the way that fits where it is shown.

    Args:
        size_of: tells how many node instances a deployment has.
    """
    if quiet:
        yield Quiet()
    elif not sys.stdout.isatty():
        yield Lines()
    else:
        from groundplan.cli.views.tree import live

        with live(execution, size_of) as view:
            yield view
