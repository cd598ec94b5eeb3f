"""What a driver needs to compose deployments: the steps by which a task makes, starts, awaits and deletes a child.

`service.composition` writes it and `service.assembly` passes it in; here stands only what drivers and attempts use.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from groundplan.model.blueprint import NodeTemplate
from groundplan.model.deployment import Deployment
from groundplan.model.execution import Execution, Outcome, ParentTask
from groundplan.model.graph import Task
from groundplan.model.values import Data, Value
from groundplan.sdk.context import OperationContext
from groundplan.state.store import Transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildCall:
    """One step with a child deployment.

    Attributes:
        task: the task whose step it is; whatever the step makes is keyed by it, so that a repeat finds it.
        operation: path behind `cfy_extensions`, for example `cloudify_types.component.create`.
        inputs: the operation's inputs, evaluated.
        template: the node template; its properties are unevaluated.
        evaluate: evaluates a value where the task's instance stands. With `hand_on`, a `get_secret` inside the value
            (not the value itself) stays a function, for the child to evaluate.
    """

    task: ParentTask
    deployment: Deployment
    operation: str
    inputs: Mapping[str, Data]
    context: OperationContext
    template: NodeTemplate
    evaluate: Callable[[Value, bool], Data]


class Children(Protocol):
    """Steps with child deployments. None of them holds a thread while a child runs."""

    def step(self, call: ChildCall) -> Outcome:
        """Do one step; ends with `WAITING` where an execution must end first.

        Raises:
            NonRecoverableError, RecoverableError: as an operation does.
        """

    def run(self, parent: ParentTask, task: Task) -> Outcome:
        """Run the workflow that a task names in the deployment that it names; ends with `WAITING` until that ends.

        Raises:
            NonRecoverableError, OperationRetry: as an operation does.
        """

    def finish(self, transaction: Transaction, task: ParentTask, child: Execution) -> Outcome:
        """Say how a waiting task ends now that the execution it waited for has ended.

        Called in the transaction that ends the child; reads of `transaction` see that end.
        """

    def conclude(self, transaction: Transaction, execution: Execution) -> None:
        """Do what the end of any execution brings with it: an update of its deployment is finished (spec 5.10).

        Called in the transaction that ends it; `execution` is as it ended, its instances are as they were recorded.
        """
