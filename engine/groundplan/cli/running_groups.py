"""Drives a group of executions in the foreground: a line for each, Ctrl-C, the closing table.

One execution with its tree of tasks is `running`'s.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from groundplan.cli.awaiting import await_store
from groundplan.cli.options import print_json
from groundplan.cli.running import drive_queued, policy_of, tell_who_goes_on
from groundplan.cli.serving import spoken
from groundplan.cli.stopping import stoppable
from groundplan.cli.views import records
from groundplan.model.execution import Change, Execution, ExecutionStatus
from groundplan.model.ids import ExecutionGroupId
from groundplan.runtime.local import LocalDriver
from groundplan.service import execution_groups as use_case
from groundplan.service.assembly import Engine, now
from groundplan.service.distribution import read_address
from groundplan.service.driving import Unwatched, make_local_driver
from groundplan.service.worker import Say, living

_MOST_ERRORS = 10
_LOOK_SECONDS = 0.5


def drive_group(
    engine: Engine, id: ExecutionGroupId, *, task_retries: int | None, as_json: bool, timeout: float | None
) -> None:
    """Drive the executions of a group until all have ended, and leave with the code that their end means.

    Args:
        timeout: seconds after which those that run are given back unended.

    Where Temporal drives, workers do; this process stays with them.
    """
    policy = policy_of(task_retries)
    with spoken(quiet=as_json) as say:
        total = len(use_case.get(engine.store, id, now()).executions)
        say(f"execution group {id}: {total} deployments")
        if read_address(engine.environment) is None:
            driver = make_local_driver(engine, policy, Unwatched(), say)
            _drive(driver, _source(engine, id, say, driver.request_drain), timeout)
        else:
            _follow(engine, id, say, timeout)
    tell_group(engine, id, as_json=as_json)
    status = use_case.get(engine.store, id, now()).status
    if status.is_final:
        drive_queued(engine, policy)
    if status is not ExecutionStatus.TERMINATED:
        raise click.exceptions.Exit(1)


def _source(engine: Engine, id: ExecutionGroupId, say: Say, done: Callable[[], None]) -> use_case.GroupSource:
    return use_case.GroupSource(
        store=engine.store,
        library=engine.library,
        group=id,
        clock=now,
        most=engine.limit,
        say=say,
        done=done,
        told=lambda ended: say(_ending(ended)),
    )


def _drive(driver: LocalDriver, source: use_case.GroupSource, timeout: float | None) -> None:
    timer = None if timeout is None else threading.Timer(timeout, driver.request_drain)

    def cancel() -> None:
        source.cancelling = True  # at the next look; the driver hears of it as if another process had asked

    with _cancellable(cancel, driver.abandon, source.say):
        if timer is not None:
            timer.daemon = True
            timer.start()
        driver.serve(source)
        if timer is not None:
            timer.cancel()
    if source.cancelling:
        source.cancel(Change.KILL)  # what was given up, and what had not begun by then
        source.look()


def _follow(engine: Engine, id: ExecutionGroupId, say: Say, timeout: float | None) -> None:
    """Stay with executions that workers drive on Temporal until all have ended."""
    with engine.store.snapshot() as snapshot:
        if not living(snapshot, now()):
            say("no worker serves this store: they wait until there is one that serves the queue `default`")
    left = threading.Event()
    source = _source(engine, id, say, left.set)
    until = None if timeout is None else time.monotonic() + timeout

    def cancel() -> None:
        source.cancelling = True

    with _cancellable(cancel, left.set, say):
        while _look(source, left) and not left.wait(_LOOK_SECONDS) and (until is None or time.monotonic() < until):
            pass
    if left.is_set() and source.cancelling:
        source.cancel(Change.KILL)  # what was given up: its workers hear of it, and this process need not wait
        source.look()


def _look(source: use_case.GroupSource, left: threading.Event) -> bool:
    """Return whether there is anything left to wait for; while the store is away, say so and wait as the workers do."""
    return await_store(
        source.look,
        source.say,
        "Ctrl-C leaves it to the workers.",
        pause=left.wait,
        leaves=lambda: source.cancelling or left.is_set(),
    )


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
def _cancellable(cancel: Callable[[], None], abandon: Callable[[], None], say: Say) -> Iterator[None]:
    """Cancel the group at the first Ctrl-C or SIGTERM, give up what is in flight at the second."""

    def first() -> None:
        say("cancelling: running operations finish first; once more gives them up")
        cancel()

    with stoppable(first, abandon):
        yield
