"""Drives an execution in the foreground for the commands that run workflows: progress, Ctrl-C, the closing words."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from queue import SimpleQueue
from typing import Any, Final, TypeVar

import click

from groundplan.cli.options import print_json, print_table
from groundplan.cli.stopping import stoppable
from groundplan.cli.views import records
from groundplan.diagnostics.trouble import Conflict
from groundplan.diagnostics.visible import visible
from groundplan.model.execution import Execution, ExecutionStatus
from groundplan.model.ids import DeploymentId
from groundplan.runtime.driver import Driver
from groundplan.runtime.policy import Policy
from groundplan.service.assembly import Engine, now
from groundplan.service.cascading import cascade_of
from groundplan.service.deployments import remains
from groundplan.service.distribution import read_address
from groundplan.service.executions import next_queued
from groundplan.service.rehearsing import Step, steps
from groundplan.service.worker import living
from groundplan.state.store import StoreFault

F = TypeVar("F", bound=Callable[..., Any])
_OPERATIONS: Final = "groundplan.operations"


def retries_option(function: F) -> F:
    """Add `--task-retries`."""
    return click.option(
        "--task-retries",
        type=click.IntRange(min=-1),
        envvar="GROUNDPLAN_TASK_RETRIES",
        help="Attempts after the first, where a blueprint says nothing; -1 without end. Default: 5.",
    )(function)


def operations_option(function: F) -> F:
    """Add `--operations`, which `policy_of` reads."""
    return click.option(
        "--operations",
        type=click.IntRange(min=1),
        envvar="GROUNDPLAN_OPERATIONS",
        expose_value=False,
        callback=_keep_operations,
        help=f"Operations that run at once at most. Default: {Policy().workers}.",
    )(function)


def _keep_operations(context: click.Context, _: click.Parameter, value: int | None) -> None:
    context.meta[_OPERATIONS] = value


def policy_of(task_retries: int | None, *, operations: int | None = None) -> Policy:
    """Return the policy that `--task-retries` and `--operations` ask for."""
    chosen = operations or click.get_current_context().meta.get(_OPERATIONS)
    policy = Policy() if chosen is None else Policy(workers=chosen)
    return policy if task_retries is None else replace(policy, retries=task_retries)


def drive(
    engine: Engine, execution: Execution, *, task_retries: int | None, as_json: bool, timeout: float | None = None
) -> None:
    """Drive an execution to its end, then what was queued meanwhile, and leave with the code that its end means.

    Args:
        timeout: seconds after which it is given back unended, for a worker or a resume to go on with.
    """
    quiet = as_json or execution.is_dry_run
    ended = _drive(engine, execution, policy_of(task_retries), quiet=quiet, timeout=timeout)
    rehearsed = steps(engine.store, engine.library, ended.id) if ended.is_dry_run else []
    if as_json:
        plan = {"plan": [records.step(item) for item in rehearsed]} if ended.is_dry_run else {}
        print_json({**records.execution(ended), **plan})
    else:
        if ended.is_dry_run:
            _show_plan(rehearsed)
        _close(engine, ended)
        _tell_remains(engine, ended)
    drive_queued(engine, policy_of(task_retries))
    if ended.status is not ExecutionStatus.TERMINATED:
        raise click.exceptions.Exit(1)


def _show_plan(rehearsed: Sequence[Step]) -> None:
    rows = [
        (number, item.instance, item.target or "", item.operation, item.implementation)
        for number, item in enumerate(rehearsed, 1)
    ]
    columns = ["", "instance", "target", "operation", "implementation"]
    print_table(columns, rows, empty="Nothing would run.")
    if rows:
        click.echo(f"{len(rows)} operations would run; nothing was called and nothing changed (dry run)")


def drive_queued(engine: Engine, policy: Policy) -> None:
    """Go on with what others queued while this process drove, unless a worker does."""
    while True:
        with engine.store.snapshot() as snapshot:
            waiting = snapshot.executions(statuses=[ExecutionStatus.QUEUED])
            if not waiting or living(snapshot, now()):
                return
        execution = next_queued(engine.store, engine.library, now(), engine.limit)
        if execution is None:
            return
        click.echo(f"Goes on with what was queued: {execution.workflow} of {execution.deployment}", err=True)
        try:
            ended = _drive(engine, execution, policy, quiet=True)
        except Conflict:
            continue  # somebody else was quicker
        _close(engine, ended)


def _drive(
    engine: Engine, execution: Execution, policy: Policy, *, quiet: bool, timeout: float | None = None
) -> Execution:
    # What only a command needs that drives: a list is shown without it.
    from groundplan.cli.views.progress import progress
    from groundplan.service.driving import make_driver

    def size_of(deployment: DeploymentId) -> int:
        with engine.store.snapshot() as snapshot:
            return sum(snapshot.instance_states(deployment).values())

    with progress(execution, size_of, quiet=quiet) as view:
        beside = cascade_of(engine.store, engine.library, execution, now, engine.limit)
        driver = make_driver(engine, policy, view, view.say, beside)
        with _interruptible(driver, view.say), _limited(driver, timeout):
            try:
                return driver.run(execution.id)
            except StoreFault as fault:
                raise StoreFault(fault.message, fix=f"{fault.fix} Then: {_again(engine, execution)}".strip()) from fault


def _again(engine: Engine, execution: Execution) -> str:
    """Return the command that goes on where a driver left: workers of Temporal go on by themselves."""
    if read_address(engine.environment) is None:
        return f"groundplan executions resume {execution.id}"
    return f"groundplan events list {execution.id} --tail"


@contextmanager
def _limited(driver: Driver, timeout: float | None) -> Iterator[None]:
    """Have a driver give back what it drives when its time is up."""
    if timeout is None:
        yield
        return
    timer = threading.Timer(timeout, driver.request_drain)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _close(engine: Engine, ended: Execution) -> None:
    if not ended.status.is_final:
        click.echo(f"Timed out: {ended.workflow} of {ended.deployment} has not ended (execution {ended.id})", err=True)
        tell_who_goes_on(engine, "A worker goes on with it", f"groundplan executions resume {ended.id}")
        return
    took = ""
    if ended.started_at is not None and ended.ended_at is not None:
        took = f" in {(ended.ended_at - ended.created_at).total_seconds():.1f} s"
    if ended.status is ExecutionStatus.TERMINATED:
        click.echo(f"Finished: {ended.workflow} of {ended.deployment}{took} (execution {ended.id})")
        return
    words = "was cancelled" if ended.status is ExecutionStatus.CANCELLED else "failed"
    click.echo(f"{ended.workflow} of {ended.deployment} {words}{took} (execution {ended.id})", err=True)
    if ended.error:
        click.echo(visible(ended.error), err=True)
    click.echo(f"  = see what happened: groundplan events list {ended.id}", err=True)
    click.echo(f"  = go on from there:  groundplan executions resume {ended.id}", err=True)


def _tell_remains(engine: Engine, ended: Execution) -> None:
    """After an uninstall, say whether anything is left."""
    if ended.workflow != "uninstall" or ended.is_dry_run:
        return
    left = remains(engine.store, ended.deployment)
    if left:
        click.echo(f"Still there: {', '.join(left)}", err=True)
        if ended.status is ExecutionStatus.FAILED:
            passing_by = f"groundplan uninstall {ended.deployment} -p ignore_failure=true"
            click.echo(f"  = if nothing was made, or it may stay: {passing_by}", err=True)
    else:
        click.echo(
            "Nothing is left: every node instance is deleted, and so is every deployment that its components made."
        )


def tell_who_goes_on(engine: Engine, what: str, otherwise: str) -> None:
    """Say in one line on standard error whether a worker sees to something, and what to do where none lives."""
    with engine.store.snapshot() as snapshot:
        lives = bool(living(snapshot, now()))
    if lives:
        click.echo(f"{what}.", err=True)
    else:
        click.echo(f"No worker serves this store: start one with `groundplan worker`, or {otherwise}", err=True)


@contextmanager
def _interruptible(driver: Driver, say: Callable[[str], None]) -> Iterator[None]:
    """Cancel at the first Ctrl-C or SIGTERM, give up what is in flight at the second."""
    # A signal may come in the middle of a print, which cannot be entered twice: a thread says what the handler wants.
    words: SimpleQueue[str | None] = SimpleQueue()
    speaker = threading.Thread(target=_say_all, args=(words, say), name="groundplan-speaker", daemon=True)

    def cancel() -> None:
        words.put("Cancelling: running operations finish first; Ctrl-C again gives them up.")
        driver.request_cancel()

    def give_up() -> None:
        words.put("Giving up the operations in flight.")
        driver.abandon()

    speaker.start()
    try:
        with stoppable(cancel, give_up):
            yield
    finally:
        words.put(None)
        speaker.join()


def _say_all(words: "SimpleQueue[str | None]", say: Callable[[str], None]) -> None:
    while (text := words.get()) is not None:
        say(text)
