"""`groundplan events`: what happened in an execution or a deployment."""

import time
from collections.abc import Iterator
from typing import Final

import click

from groundplan.cli.options import as_json, engine, print_json
from groundplan.cli.views import records
from groundplan.cli.views.lines import line
from groundplan.diagnostics.trouble import UsageError
from groundplan.model.execution import Event, ExecutionStatus
from groundplan.model.ids import DeploymentId, ExecutionId
from groundplan.service import executions as use_case
from groundplan.service.assembly import Engine
from groundplan.service.deployments import existing

_POLL_SECONDS: Final = 0.5
_PAGE: Final = 1000


@click.group()
def events() -> None:
    """Read what happened."""


@events.command(name="list")
@click.argument("execution_id", required=False)
@click.option("-d", "--deployment-id", help="Those of a deployment, of all its executions and outside of them.")
@click.option("--tail", is_flag=True, help="Go on until the execution ends.")
@click.option("--include-logs/--no-logs", default=True, help="Whether lines that operations logged are shown.")
@as_json
def list_(execution_id: str | None, deployment_id: str | None, tail: bool, include_logs: bool, as_json: bool) -> None:
    """List the events of an execution or a deployment, oldest first."""
    if (execution_id is None) == (deployment_id is None):
        raise UsageError(
            "Name an execution, or a deployment by -d.", fix="See those that there are: groundplan executions list"
        )
    if tail and execution_id is None:
        raise UsageError("--tail follows one execution: name it.")
    with engine(quiet=as_json) as opened:
        if execution_id is None:
            found = _of_deployment(opened, DeploymentId(str(deployment_id)))
        else:
            execution = use_case.get(opened.store, ExecutionId(execution_id)).id
            found = _of_execution(opened, execution, tail=tail)
        shown = (item for item in found if include_logs or not item[1].level)
        if as_json:
            print_json([records.event(number, event) for number, event in shown])
        else:
            for _, event in shown:
                click.echo(line(event))
        if tail and use_case.get(opened.store, ExecutionId(str(execution_id))).status is ExecutionStatus.FAILED:
            raise click.exceptions.Exit(1)


def _of_deployment(opened: Engine, deployment: DeploymentId) -> Iterator[tuple[int, Event]]:
    with opened.store.snapshot() as snapshot:
        existing(snapshot, deployment)
    after, page = 0, True
    while page:
        with opened.store.snapshot() as snapshot:
            found = snapshot.events(deployment=deployment, after=after, limit=_PAGE)
        yield from found
        page = len(found) == _PAGE
        after = found[-1][0] if found else after


def _of_execution(opened: Engine, execution: ExecutionId, *, tail: bool) -> Iterator[tuple[int, Event]]:
    after = 0
    while True:
        # Asked before the events are read, so that those of the end are not missed.
        ended = use_case.get(opened.store, execution).status.is_final
        with opened.store.snapshot() as snapshot:
            page = snapshot.events(execution=execution, after=after, limit=_PAGE)
        yield from page
        after = page[-1][0] if page else after
        if len(page) == _PAGE:
            continue
        if ended or not tail:
            return
        time.sleep(_POLL_SECONDS)
