"""`groundplan events`: what happened in an execution or a deployment."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import click

from groundplan.cli.awaiting import await_store
from groundplan.cli.options import as_json, engine, print_json
from groundplan.cli.views import records
from groundplan.cli.views.lines import line
from groundplan.diagnostics.trouble import UsageError
from groundplan.model.execution import Event, ExecutionStatus
from groundplan.model.ids import DeploymentId, ExecutionGroupId, ExecutionId
from groundplan.service import execution_groups
from groundplan.service import executions as use_case
from groundplan.service.assembly import Engine, now
from groundplan.service.deployments import existing
from groundplan.state.store import Snapshot

_POLL_SECONDS: Final = 0.5
_PAGE: Final = 1000
_LEAVING: Final = "Ctrl-C leaves; what runs is not touched."
T = TypeVar("T")


@click.group()
def events() -> None:
    """Read what happened."""


@events.command(name="list")
@click.argument("execution_id", required=False)
@click.option("-d", "--deployment-id", help="Those of a deployment, of all its executions and outside of them.")
@click.option("-g", "--execution-group-id", help="Those of all executions of a group.")
@click.option("--tail", is_flag=True, help="Go on until the execution ends.")
@click.option("--include-logs/--no-logs", default=True, help="Whether lines that operations logged are shown.")
@as_json
def list_(
    execution_id: str | None,
    deployment_id: str | None,
    execution_group_id: str | None,
    tail: bool,
    include_logs: bool,
    as_json: bool,
) -> None:
    """List the events of an execution, a deployment or an execution group, oldest first."""
    if [execution_id, deployment_id, execution_group_id].count(None) != 2:
        raise UsageError(
            "Name an execution, or a deployment by -d, or an execution group by -g.",
            fix="See those that there are: groundplan executions list",
        )
    if tail and deployment_id is not None:
        raise UsageError("--tail follows one execution or one group: name it.")
    with engine(quiet=as_json) as opened:
        if execution_id is not None:
            wanted = _of_execution(opened, ExecutionId(execution_id))
        elif execution_group_id is not None:
            wanted = _of_group(opened, ExecutionGroupId(execution_group_id))
        else:
            wanted = _of_deployment(opened, DeploymentId(str(deployment_id)))
        shown = (item for item in _follow(opened, wanted, tail=tail) if include_logs or not item[1].level)
        if as_json:
            print_json([records.event(number, event) for number, event in shown])
        else:
            for _, event in shown:
                click.echo(line(event))
        if tail and _patiently(wanted.status) is ExecutionStatus.FAILED:
            raise click.exceptions.Exit(1)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    """Whose events are read.

    Attributes:
        page: reads those after a number.
        status: tells whether more will come.
    """

    page: Callable[[Snapshot, int], Sequence[tuple[int, Event]]]
    status: Callable[[], ExecutionStatus]


def _of_deployment(opened: Engine, deployment: DeploymentId) -> _Wanted:
    with opened.store.snapshot() as snapshot:
        existing(snapshot, deployment)
    return _Wanted(
        page=lambda snapshot, after: snapshot.events(deployment=deployment, after=after, limit=_PAGE),
        status=lambda: ExecutionStatus.TERMINATED,
    )


def _of_execution(opened: Engine, named: ExecutionId) -> _Wanted:
    execution = use_case.get(opened.store, named).id
    return _Wanted(
        page=lambda snapshot, after: snapshot.events(execution=execution, after=after, limit=_PAGE),
        status=lambda: use_case.get(opened.store, execution).status,
    )


def _of_group(opened: Engine, named: ExecutionGroupId) -> _Wanted:
    group = execution_groups.get(opened.store, named, now()).group.id
    return _Wanted(
        page=lambda snapshot, after: snapshot.events(group=group, after=after, limit=_PAGE),
        status=lambda: execution_groups.get(opened.store, group, now()).status,
    )


def _follow(opened: Engine, wanted: _Wanted, *, tail: bool) -> Iterator[tuple[int, Event]]:
    after = 0
    while True:
        read = partial(_read, opened, wanted, after)
        ended, page = _patiently(read) if tail else read()
        yield from page
        after = page[-1][0] if page else after
        if len(page) == _PAGE:
            continue
        if ended or not tail:
            return
        time.sleep(_POLL_SECONDS)


def _read(opened: Engine, wanted: _Wanted, after: int) -> tuple[bool, Sequence[tuple[int, Event]]]:
    """Return whether no more will come than these, and the events after a number."""
    # Asked before the events are read, so that those of the end are not missed.
    ended = wanted.status().is_final
    with opened.store.snapshot() as snapshot:
        return ended, wanted.page(snapshot, after)


def _patiently(act: Callable[[], T]) -> T:
    return await_store(act, lambda text: click.echo(text, err=True), _LEAVING)
