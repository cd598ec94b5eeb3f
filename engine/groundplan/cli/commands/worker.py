"""`groundplan worker`: a process that serves others in the foreground until it is stopped."""

import click

from groundplan.cli.options import engine
from groundplan.runtime.policy import Policy
from groundplan.service.distribution import BUILD_VARIABLE, read_queues


@click.group(invoke_without_command=True)
@click.option(
    "--queues", multiple=True, metavar="NAME,NAME", help="Queues to serve for Temporal. Repeatable. Default: default."
)
@click.option(
    "--operations", type=click.IntRange(min=1), default=8, show_default=True, help="Run at once, for each queue."
)
@click.option(
    "--build", envvar=BUILD_VARIABLE, default="", help="Version of this worker, for Temporal's worker versioning."
)
@click.pass_context
def worker(context: click.Context, queues: tuple[str, ...], operations: int, build: str) -> None:
    """Serve executions that Temporal drives: make attempts of the queues that are named, by dialling out only.

    A worker that serves the queue `default` keeps executions as well; at least one must. Runs until SIGTERM or
    Ctrl-C: then operations in flight finish, and other workers go on; a second one gives the operations up.
    """
    if context.invoked_subcommand is not None:
        return
    from groundplan.cli.serving import serve_queues

    with engine() as opened:
        serve_queues(opened, Policy(workers=operations), read_queues(queues), build)
