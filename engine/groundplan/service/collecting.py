"""Puts deployments into the success or failure group of the execution group that ran on them, as each one ends."""

from groundplan.model.execution import Execution, ExecutionStatus
from groundplan.model.group import ExecutionGroup
from groundplan.state.store import Transaction


def collect(transaction: Transaction, execution: Execution) -> None:
    """Note the result of an execution that has ended, in the transaction of its end; without a group, nothing.

    A deployment is in the group of its last result only; what was cancelled has none.
    """
    group = None if execution.group is None else transaction.execution_group(execution.group)
    if group is not None:
        _sort_in(transaction, group, execution)


def collect_all(transaction: Transaction, group: ExecutionGroup) -> None:
    """Note the results of those executions of a group that have ended: its success or failure group is new."""
    for execution in transaction.executions(group=group.id):
        _sort_in(transaction, group, execution)


def _sort_in(transaction: Transaction, group: ExecutionGroup, execution: Execution) -> None:
    results = {ExecutionStatus.TERMINATED: group.success_group, ExecutionStatus.FAILED: group.failure_group}
    if execution.status not in results:
        return
    for status, target in results.items():
        if target is None or transaction.deployment_group(target) is None:
            continue
        change = transaction.add_members if status is execution.status else transaction.remove_members
        change(target, [execution.deployment])
