"""Has a workflow run in another deployment and the step wait for its end: found again by the task that started it.

A repeat of the step, after the engine died or the step failed, goes on with the execution that it had started.
How the step ends is said by `endings`.
"""

from collections.abc import Callable
from datetime import datetime

from groundplan.model.execution import Execution, ExecutionStatus, Outcome, ParentTask, Verdict
from groundplan.model.ids import DeploymentId
from groundplan.model.values import reveal
from groundplan.runtime.children import ChildCall
from groundplan.runtime.library import Library
from groundplan.sdk.errors import OperationRetry
from groundplan.service import executions
from groundplan.service.composition.endings import ending
from groundplan.service.composition.resource_config import POLL_SECONDS
from groundplan.service.queue import BEGUN
from groundplan.state.store import Transaction


def await_workflow(
    transaction: Transaction,
    library: Library,
    parent: ParentTask,
    new: executions.NewExecution,
    now: datetime,
    limit: float | None = None,
) -> Outcome:
    """Return how the step goes on: it waits for the execution, or has what an earlier attempt's has given.

    Args:
        parent: the task whose step it is.
        new: what to run, its parent that task.
        limit: how long to wait, in seconds; see `wait_limit`.

    Raises:
        OperationRetry: something else runs in the deployment.
    """

    def begin() -> Execution:
        return executions.start_in(transaction, library, new, now)

    return await_execution(transaction, library, parent, new.deployment, begin, limit)


def await_execution(
    transaction: Transaction,
    library: Library,
    parent: ParentTask,
    deployment: DeploymentId,
    begin: Callable[[], Execution],
    limit: float | None = None,
) -> Outcome:
    """Return how the step goes on with what it began in a deployment, or begins now; see `await_workflow`."""
    known = transaction.executions(deployment=deployment)
    own = [item for item in known if item.parent == parent]
    if own and own[-1].status is ExecutionStatus.TERMINATED:
        return ending(transaction, library, parent, own[-1])
    running = [item for item in known if item.status in BEGUN]
    if running and running[-1].parent != parent:
        raise OperationRetry(
            f"Execution {running[-1].id} runs in {deployment}; waiting for it.", retry_after=POLL_SECONDS
        )
    chosen = running[-1] if running else begin()
    return Outcome(verdict=Verdict.WAITING, waits_for=chosen.id, wait_limit=limit)


def wait_limit(call: ChildCall) -> float | None:
    """Return how long to wait, in seconds (spec 6.1, 6.3: `timeout`, -1 for no limit)."""
    timeout = reveal(call.inputs.get("timeout"))
    return float(timeout) if isinstance(timeout, int | float) and timeout > 0 else None
