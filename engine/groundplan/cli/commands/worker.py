"""`groundplan worker`: a process that serves others in the foreground until it is stopped."""

import click

from groundplan.cli.options import as_json, engine, print_json, print_table
from groundplan.cli.running import policy_of, retries_option
from groundplan.cli.views import records
from groundplan.diagnostics.trouble import UsageError
from groundplan.runtime.liveness import shown_driver
from groundplan.service.assembly import now
from groundplan.service.distribution import BUILD_VARIABLE, read_address, read_queues
from groundplan.service.queue import VARIABLE, read_lines
from groundplan.service.worker import living


@click.group(invoke_without_command=True)
@click.option(
    "--executions", type=click.IntRange(min=1), default=10, show_default=True, help="Driven at once by this worker."
)
@click.option(
    "--operations",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Run at once by this worker; of Temporal's queues for each.",
)
@click.option(
    "--queues", multiple=True, metavar="NAME,NAME", help="Queues to serve for Temporal. Repeatable. Default: default."
)
@click.option(
    "--build", envvar=BUILD_VARIABLE, default="", help="Version of this worker, for Temporal's worker versioning."
)
@click.option("--promote", is_flag=True, help="Have executions go over to this build; the first one ever needs none.")
@retries_option
@click.pass_context
def worker(
    context: click.Context,
    executions: int,
    operations: int,
    queues: tuple[str, ...],
    build: str,
    promote: bool,
    task_retries: int | None,
) -> None:
    """Serve the store: due schedules, queued executions, and those whose driver was lost.

    Where Temporal's address is set, or with --queues: make attempts of the queues that are named, by dialling out only.
    A worker that serves the queue `default` keeps executions as well; at least one must.

    Runs until SIGTERM or Ctrl-C: then operations in flight finish, and other workers go on with the executions; a
    second one gives the operations up. Several workers share the work.
    """
    if context.invoked_subcommand is not None:
        return
    if promote and not build:
        raise UsageError("--promote makes a build the current one, and none is named.", fix="Name it with --build.")
    from groundplan.cli.serving import serve_queues, serve_store

    policy = policy_of(task_retries, operations=operations)
    with engine() as opened:
        if queues or read_address(opened.environment) is not None:
            serve_queues(opened, policy, read_queues(queues), build, room=executions, promote=promote)
        else:
            serve_store(opened, policy, room=executions)


@worker.command()
@as_json
def status(as_json: bool) -> None:
    """Show the workers of the store and what waits for one; exit code 1 when none lives."""
    with engine(quiet=as_json) as opened, opened.store.snapshot() as snapshot:
        found = living(snapshot, now())
        lines = read_lines(snapshot, now(), opened.limit)
        due = snapshot.schedules(due=now())
    if as_json:
        print_json(
            {
                "workers": [records.worker(item) for item in found],
                "running": lines.running,
                "limit": opened.limit,
                "queued": len(lines.waiting),
                "lost": len(lines.lost),
                "schedules_due": len(due),
            }
        )
    else:
        print_table(
            ["worker", "state", "executions", "at most", "since", "heartbeat"],
            [
                (
                    shown_driver(item.name),
                    item.state,
                    item.executions,
                    item.limit,
                    records.moment(item.started_at),
                    records.moment(item.heartbeat),
                )
                for item in found
            ],
            empty="No worker serves this store: start one with `groundplan worker`.",
        )
        click.echo(
            f"{lines.running} of at most {opened.limit} executions run ({VARIABLE}), {len(lines.waiting)} queued, "
            f"{len(lines.lost)} without their driver, {len(due)} schedules due"
        )
    if not found:
        raise click.exceptions.Exit(1)
