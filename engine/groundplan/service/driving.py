"""Chooses what drives an execution. Apart from `assembly`, because most commands run nothing and need not load it.

Temporal where the environment names its address, this process otherwise; Temporal's library is loaded only then.
"""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from groundplan.diagnostics.trouble import UsageError
from groundplan.planning.workflows.table import workflow_stages
from groundplan.runtime.attempt import Attempts
from groundplan.runtime.dialogue.workflows import Workflows
from groundplan.runtime.driver import Driver, Serving, Watch
from groundplan.runtime.evaluation import Evaluator
from groundplan.runtime.keeping import Keeping
from groundplan.runtime.local import LocalDriver
from groundplan.runtime.policy import Policy
from groundplan.runtime.registry import Registry
from groundplan.runtime.serving import Offer, Source
from groundplan.service import executions
from groundplan.service.assembly import Engine, now
from groundplan.service.composition.steps import Composition
from groundplan.service.distribution import ADDRESS_VARIABLE, read_address, read_timing
from groundplan.service.identifiers import instance_id
from groundplan.state.store import Batch


class Unwatched:
    """A watch that nobody looks at."""

    def committed(self, batch: Batch) -> None:
        """Take a batch."""


def make_driver(
    engine: Engine, policy: Policy, watch: Watch, say: Callable[[str], None], beside: Offer | None = None
) -> Driver:
    """Return a driver for one execution.

    Args:
        say: tells people what is no part of the record.
        beside: what is driven beside it; with Temporal, a worker of the queue `default` sees to that.

    Raises:
        UsageError: Temporal's settings are malformed, or its library is not installed.
    """
    address = read_address(engine.environment)
    if address is None:
        return make_local_driver(engine, policy, watch, say, beside)
    driver: Driver = _temporal("driver").TemporalDriver(
        address=address,
        store=engine.store,
        watch=watch,
        say=say,
        ask_to_end=lambda id_, how: executions.end(engine.store, id_, how, now()),
        retries=policy.retries,
        timing=read_timing(engine.environment),
    )
    return driver


def make_local_driver(
    engine: Engine, policy: Policy, watch: Watch, say: Callable[[str], None], beside: Offer | None = None
) -> LocalDriver:
    """Return a driver that makes attempts in this process, and can serve a store."""
    children = _children(engine)
    return LocalDriver(
        store=engine.store,
        library=engine.library,
        attempts=_attempts(engine, children),
        children=children,
        policy=policy,
        watch=watch,
        new_id=instance_id,
        clock=now,
        say=say,
        beside=beside,
        workflows=_workflows(engine),
        observer=engine.observer,
    )


def make_queue_worker(
    engine: Engine, policy: Policy, queues: Sequence[str], build: str, *, source: Source | None, promote: bool = False
) -> Serving:
    """Return what serves queues of attempts for Temporal.

    Args:
        build: names the version of the worker, for Temporal's worker versioning; empty for none.
        source: finds what is to be started, for a worker of the queue `default`.
        promote: make that build the current one.

    Raises:
        UsageError: no address is set, Temporal's settings are malformed, or its library is not installed.
    """
    address = read_address(engine.environment)
    if address is None:
        raise UsageError(
            "Queues are served for Temporal, and nothing says where it is.",
            fix=f"Set {ADDRESS_VARIABLE}, for example to temporal:7233.",
        )
    children = _children(engine)
    worker: Serving = _temporal("worker").QueueWorker(
        address=address,
        store=engine.store,
        library=engine.library,
        attempts=_attempts(engine, children),
        keeping=Keeping(
            library=engine.library,
            children=children,
            policy=policy,
            new_id=instance_id,
            stages_of=workflow_stages,
            clock=now,
            runs_programs=True,
            on_temporal=True,
        ),
        workflows=_workflows(engine),
        queues=queues,
        slots=policy.workers,
        build=build,
        promote=promote,
        source=source,
        timing=read_timing(engine.environment),
        retries=policy.retries,
        clock=now,
        observer=engine.observer,
    )
    return worker


def _children(engine: Engine) -> Composition:
    return Composition(store=engine.store, library=engine.library, home=engine.home, fetch=engine.fetch, clock=now)


def _workflows(engine: Engine) -> Workflows:
    return Workflows(
        store=engine.store,
        library=engine.library,
        surroundings=engine.settings,
        new_id=instance_id,
        observer=engine.observer,
    )


def _attempts(engine: Engine, children: Composition) -> Attempts:
    return Attempts(
        registry=Registry(engine.manifests.values()),
        children=children,
        store=engine.store,
        surroundings=engine.settings,
        evaluator=Evaluator.of_store(engine.library, engine.store),
        observer=engine.observer,
    )


def _temporal(module: str) -> Any:
    """Load a module of the driver on Temporal."""
    try:
        return importlib.import_module(f"groundplan.runtime.temporal.{module}")
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("temporalio"):
            raise
        raise UsageError(
            f"{ADDRESS_VARIABLE} is set, and Temporal's library is not installed.",
            fix="Install it: pip install 'groundplan[temporal]'.",
        ) from None
