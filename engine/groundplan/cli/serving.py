"""Serves a store, or queues of attempts, for `groundplan worker`: what it says, and how it is stopped."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from queue import SimpleQueue
from typing import TypeVar

import click

from groundplan.cli.awaiting import await_store
from groundplan.cli.stopping import interruptible, stoppable
from groundplan.diagnostics.visible import visible
from groundplan.runtime.driver import Serving
from groundplan.runtime.liveness import shown_driver
from groundplan.runtime.local import LocalDriver
from groundplan.runtime.policy import Policy
from groundplan.runtime.temporal.messages import DEFAULT_QUEUE
from groundplan.service.assembly import Engine, now
from groundplan.service.driving import Unwatched, make_local_driver, make_queue_worker
from groundplan.service.worker import Say, StoreSource

T = TypeVar("T")


def serve_queues(
    engine: Engine, policy: Policy, queues: Sequence[str], build: str, *, room: int, promote: bool = False
) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Args:
        policy: `workers` is how many operations run at once for each queue.
        build: names the version of the worker, for Temporal's worker versioning; empty for none.
        room: how many executions of the store are under way at once that this worker started.
        promote: make that build the current one.

    Raises:
        UsageError: Temporal cannot be used.
    """
    logging.basicConfig(format="%(asctime)s  %(levelname)s  %(message)s", level=logging.WARNING)
    most = engine.limit
    with spoken() as say:

        def make() -> tuple[StoreSource | None, Serving]:
            source = None
            if DEFAULT_QUEUE in queues:
                source = StoreSource(
                    store=engine.store,
                    library=engine.library,
                    clock=now,
                    most=most,
                    room=room,
                    say=say,
                    on_temporal=True,
                )
            return source, make_queue_worker(engine, policy, queues, build, source=source, promote=promote)

        source, worker = _await_store(make, say)
        try:
            with stoppable(worker.request_stop, worker.abandon):
                worker.run(lambda: say(f"serves {', '.join(queues)}: at most {policy.workers} operations at once each"))
        finally:
            if source is not None:
                source.leave()
        say("stopped")


def serve_store(engine: Engine, policy: Policy, *, room: int) -> None:
    """Serve the store until SIGTERM or Ctrl-C.

    Args:
        room: how many executions are driven at once.
    """
    most = engine.limit
    with spoken() as say:

        def make() -> tuple[StoreSource, LocalDriver]:
            source = StoreSource(store=engine.store, library=engine.library, clock=now, most=most, room=room, say=say)
            return source, make_local_driver(engine, policy, Unwatched(), say)

        source, driver = _await_store(make, say)
        say(f"serves as {shown_driver(source.worker.name)}")

        def drain() -> None:
            say("drains: operations in flight finish first; once more gives them up")
            driver.request_drain()

        try:
            with stoppable(drain, driver.abandon):
                driver.serve(source)
        finally:
            source.leave()
        say("stopped")


def _await_store(make: Callable[[], T], say: Say) -> T:
    """Make what uses the store; while that is away, wait for it, so that a worker may be started before its server.

    Raises:
        StoreFault: it cannot be used, and waiting makes no sense.
    """
    with interruptible():
        return await_store(make, say, "Ctrl-C ends the worker.")


@contextmanager
def spoken(*, quiet: bool = False) -> Iterator[Say]:
    """Print lines from a thread of its own, or none of them: a signal's handler must not print itself."""
    words: SimpleQueue[str | None] = SimpleQueue()

    def speak() -> None:
        while (text := words.get()) is not None:
            if not quiet:
                click.echo(f"{_stamp(now())}  {visible(text)}")

    speaker = threading.Thread(target=speak, name="groundplan-speaker", daemon=True)
    speaker.start()
    try:
        yield words.put
    finally:
        words.put(None)
        speaker.join()


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")
