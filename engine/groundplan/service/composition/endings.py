"""How a step that waited for an execution ends: told by that execution's end, in the transaction that records it."""

from groundplan.model.execution import Execution, ExecutionStatus, Failure, Outcome, ParentTask, Verdict
from groundplan.model.update import UPDATE_WORKFLOW
from groundplan.planning.evaluation import EvaluationFault
from groundplan.runtime.library import Library
from groundplan.service.composition.resource_config import evaluate_capabilities
from groundplan.state.store import Transaction


def ending(transaction: Transaction, library: Library, task: ParentTask, child: Execution) -> Outcome:
    """Return the outcome of a task whose execution has ended.

    A child that was installed or healed gives its capabilities to the component's runtime properties. A failure comes
    up with the child's execution id and error, and is not tried again by itself.
    """
    if child.status is not ExecutionStatus.TERMINATED:
        return _failed(unfinished_words(child))
    record = transaction.task(task.execution, task.task)
    parent = transaction.execution(task.execution)
    if record is None or parent is None or record.task.relationship is not None:
        return Outcome(verdict=Verdict.SUCCEEDED)
    instance = transaction.instance(parent.deployment, record.task.instance)
    if instance is None or child.workflow not in ("install", "heal", UPDATE_WORKFLOW):
        return Outcome(verdict=Verdict.SUCCEEDED)
    try:
        found = evaluate_capabilities(transaction, library, child.deployment)
    except EvaluationFault as fault:
        return _failed(f"Deployment {child.deployment} is installed, but {fault.path} has no value: {fault.message}")
    properties = {**instance.runtime_properties, "capabilities": found}
    return Outcome(verdict=Verdict.SUCCEEDED, runtime_properties={record.task.instance: properties})


def unfinished_words(child: Execution) -> str:
    """Return the error of a task whose execution ended without success."""
    words = "was cancelled" if child.status is ExecutionStatus.CANCELLED else f"failed: {child.error}"
    return f"Execution {child.id} ({child.workflow} of {child.deployment}) {words}"


def _failed(message: str) -> Outcome:
    return Outcome(verdict=Verdict.FAILED, failure=Failure(type="ChildFailed", message=message, recoverable=False))
