"""Drives a group of executions in the foreground: a line for each, Ctrl-C, the closing table.

One execution with its tree of tasks is `running`'s.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click

from groundplan.cli.options import print_json
from groundplan.cli.running import drive_queued, policy_of, tell_who_goes_on
from groundplan.cli.serving import spoken
from groundplan.cli.stopping import stoppable
from groundplan.cli.views import records
from groundplan.diagnostics.trouble import UsageError
from groundplan.model.execution import Execution, ExecutionStatus
from groundplan.model.ids import ExecutionGroupId
from groundplan.runtime.local import LocalDriver
from groundplan.service import execution_groups as use_case
from groundplan.service.assembly import Engine, now
from groundplan.service.distribution import ADDRESS_VARIABLE, read_address
from groundplan.service.driving import Unwatched, make_local_driver

_MOST_ERRORS = 10


def drive_group(
    engine: Engine, id: ExecutionGroupId, *, task_retries: int | None, as_json: bool, timeout: float | None
) -> None:
    """Drive the executions of a group until all have ended, and leave with the code that their end means.

    Args:
        timeout: seconds after which those that run are given back unended.

    Raises:
        UsageError: executions are driven on Temporal.
    """
    if read_address(engine.environment) is not None:
        raise UsageError(
            "The executions of a group are not driven on Temporal yet; they are recorded and wait for their turn.",
            fix=f"Drive them here: env -u {ADDRESS_VARIABLE} groundplan executions groups resume {id}",
        )
    policy = policy_of(task_retries)
    with spoken(quiet=as_json) as say:
        total = len(use_case.get(engine.store, id, now()).executions)
        say(f"execution group {id}: {total} deployments")
        driver = make_local_driver(engine, policy, Unwatched(), say)
        source = use_case.GroupSource(
            store=engine.store,
            library=engine.library,
            group=id,
            clock=now,
            most=engine.limit,
            say=say,
            done=driver.request_drain,
            told=lambda ended: say(_ending(ended)),
        )
        timer = None if timeout is None else threading.Timer(timeout, driver.request_drain)
        with _cancellable(driver, source):
            if timer is not None:
                timer.daemon = True
                timer.start()
            driver.serve(source)
            if timer is not None:
                timer.cancel()
    tell_group(engine, id, as_json=as_json)
    drive_queued(engine, policy)
    if use_case.get(engine.store, id, now()).status is not ExecutionStatus.TERMINATED:
        raise click.exceptions.Exit(1)


def _ending(ended: Execution) -> str:
    why = f": {ended.error}" if ended.status is ExecutionStatus.FAILED else ""
    return f"{ended.workflow} of {ended.deployment} {records.shown_status(ended.status)}{why} (execution {ended.id})"


def tell_group(engine: Engine, id: ExecutionGroupId, *, as_json: bool) -> None:
    """Say how a group stands, what failed, and how to go on."""
    found = use_case.get(engine.store, id, now())
    if as_json:
        executions = [records.listed(item) for item in found.executions]
        print_json({**records.execution_group(found), "executions": executions})
        return
    group = found.group
    click.echo(f"{group.workflow} of group {group.group}: {records.shown_counts(found)} (execution group {id})")
    failed = [item.execution for item in found.executions if item.execution.status is ExecutionStatus.FAILED]
    if failed and len(failed) > _MOST_ERRORS:
        click.echo(f"{len(failed)} failed; see which: groundplan executions groups details {id}", err=True)
    if failed or found.status is ExecutionStatus.CANCELLED:
        click.echo(f"  = see what happened: groundplan events list -g {id}", err=True)
        click.echo(f"  = go on with those:  groundplan executions groups resume {id}", err=True)
    if found.status.is_final:
        return
    if not group.concurrency:
        click.echo(
            f"Paused; let it go on: groundplan executions groups set-concurrency {id} 5, then resume {id}", err=True
        )
        return
    tell_who_goes_on(engine, "A worker goes on with it", f"groundplan executions groups resume {id}")


@contextmanager
def _cancellable(driver: LocalDriver, source: use_case.GroupSource) -> Iterator[None]:
    """Cancel the group at the first Ctrl-C or SIGTERM, give up what is in flight at the second."""

    def cancel() -> None:
        source.say("cancelling: running operations finish first; Ctrl-C again gives them up")
        source.cancelling = True
        driver.request_cancel()

    with stoppable(cancel, driver.abandon):
        yield
