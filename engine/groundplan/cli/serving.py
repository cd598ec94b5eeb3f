"""Serves queues of attempts in the foreground for `groundplan worker`: what it says, and how it is stopped."""

import logging
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import click

from groundplan.runtime.driver import Serving
from groundplan.runtime.policy import Policy
from groundplan.service.assembly import Engine
from groundplan.service.driving import make_queue_worker


def serve_queues(engine: Engine, policy: Policy, queues: Sequence[str], build: str) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Args:
        policy: `workers` is how many operations run at once for each queue.
        build: names the version of the worker, for Temporal's worker versioning; empty for none.

    Raises:
        UsageError: Temporal cannot be used.
    """
    logging.basicConfig(format="%(asctime)s  %(levelname)s  %(message)s", level=logging.WARNING)
    worker = make_queue_worker(engine, policy, queues, build)
    with _stoppable(worker):
        worker.run(lambda: click.echo(f"Serves {', '.join(queues)}: at most {policy.workers} operations at once each"))
    click.echo("Stopped")


@contextmanager
def _stoppable(worker: Serving) -> Iterator[None]:
    """Stop at the first SIGTERM or Ctrl-C when operations have finished, give them up at the second."""
    asked = 0

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            worker.request_stop()
        else:
            worker.abandon()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
