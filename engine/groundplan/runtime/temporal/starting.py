"""Starts the workflow of an execution, or finds it running; and tells whether it is."""

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from groundplan.diagnostics.trouble import NotFound
from groundplan.model.ids import ExecutionId
from groundplan.runtime.temporal.attributes import attributes
from groundplan.runtime.temporal.messages import CONTROL_QUEUE, EXECUTION, Ticket, Timing
from groundplan.state.store import Store

Handle = WorkflowHandle[object, str]


async def start_workflow(
    client: Client,
    store: Store,
    id_: ExecutionId,
    *,
    timing: Timing,
    retries: int | None = None,
    although_running: bool = True,
) -> Handle:
    """Return the workflow of an execution.

    Args:
        although_running: one that is open already is what is asked for.

    Raises:
        NotFound: there is no such execution.
        temporalio.exceptions.WorkflowAlreadyStartedError: it is open, and `although_running` is false.
    """
    with store.snapshot() as snapshot:
        execution = snapshot.execution(id_)
        deployment = None if execution is None else snapshot.deployment(execution.deployment)
    if execution is None or deployment is None:
        raise NotFound(f"There is no execution {id_}.")
    conflict = WorkflowIDConflictPolicy.USE_EXISTING if although_running else WorkflowIDConflictPolicy.FAIL
    return await client.start_workflow(
        EXECUTION,
        Ticket(execution=id_, retries=retries, timing=timing),
        id=id_,
        task_queue=CONTROL_QUEUE,
        result_type=str,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=conflict,
        search_attributes=attributes(
            deployment=execution.deployment,
            blueprint=deployment.blueprint,
            workflow=execution.workflow,
            status=execution.status,
        ),
    )


async def is_open(client: Client, execution: ExecutionId) -> bool:
    """Whether the latest workflow of an execution has not ended.

    Raises:
        RPCError: the service cannot be asked now.
    """
    try:
        found = await client.get_workflow_handle(execution).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return found.status in (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW)
