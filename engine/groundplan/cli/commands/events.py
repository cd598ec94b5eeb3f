"""`groundplan events`: what happened in an execution."""

import time
from typing import Final

import click

from groundplan.cli.options import as_json, engine, print_json
from groundplan.cli.views import records
from groundplan.cli.views.lines import line
from groundplan.model.execution import Event, ExecutionStatus
from groundplan.model.ids import ExecutionId
from groundplan.service import executions as use_case
from groundplan.service.assembly import Engine

_POLL_SECONDS: Final = 0.5
_PAGE: Final = 1000


@click.group()
def events() -> None:
    """Read what happened."""


@events.command(name="list")
@click.argument("execution_id")
@click.option("--tail", is_flag=True, help="Go on until the execution ends.")
@click.option("--include-logs/--no-logs", default=True, help="Whether lines that operations logged are shown.")
@as_json
def list_(execution_id: str, tail: bool, include_logs: bool, as_json: bool) -> None:
    """List the events of an execution, oldest first."""
    with engine(quiet=as_json) as opened:
        execution = use_case.get(opened.store, ExecutionId(execution_id))
        found = []
        after, ended = 0, False
        while True:
            ended = use_case.get(opened.store, execution.id).status.is_final
            page = _page(opened, execution.id, after)
            after = page[-1][0] if page else after
            for number, event in page:
                if event.level and not include_logs:
                    continue
                if as_json:
                    found.append(records.event(number, event))
                else:
                    click.echo(line(event))
            if len(page) < _PAGE and (ended or not tail):
                break
            if len(page) < _PAGE:
                time.sleep(_POLL_SECONDS)
        if as_json:
            print_json(found)
        if tail and use_case.get(opened.store, execution.id).status is ExecutionStatus.FAILED:
            raise click.exceptions.Exit(1)


def _page(opened: Engine, execution: ExecutionId, after: int) -> list[tuple[int, Event]]:
    with opened.store.snapshot() as snapshot:
        return list(snapshot.events(execution=execution, after=after, limit=_PAGE))
