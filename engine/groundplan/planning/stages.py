"""How a workflow tells its tasks: stage by stage, each planned from what came of the ones before.

A stage may also reshape the deployment (`model.reshape`). The built-in workflows are in `workflows`, and
`workflows.table` finds them; the driver asks for the next stage when nothing of the one before is left to do.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from groundplan.model.blueprint import Blueprint
from groundplan.model.deployment import Deployment, NodeInstance
from groundplan.model.execution import TaskState
from groundplan.model.graph import Task, TaskGraph
from groundplan.model.ids import DeploymentId, ExecutionId
from groundplan.model.reshape import Reshape
from groundplan.model.values import Data


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """A task of an earlier stage and what came of it.

    Attributes:
        stage: the stage that it belongs to, from 0.
        state: `PENDING` for one that was dropped because something before it failed.
        result: what its operation returned, `Sensitive` inside.
        error: message of its last failure, secrets masked; empty when there was none.
    """

    task: Task
    stage: int
    state: TaskState
    result: Data = None
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is known when a stage is planned.

    Attributes:
        execution: the execution that it is planned for.
        now: the time, for what is noted.
        deployment: as it is now, with the counts of its instances.
        instances: all node instances of the deployment as they are now.
        stage: how many stages were planned before.
        first: the number that the stage's first task gets.
        failed: whether a task failed that neither ignored its failure nor was forgiven (`Stage.forgives`).
        contained: reads the deployments that stand in this one (label `csys-obj-parent`) and that no component of it
            made, each with those of them that need it.
        ended: the tasks of all stages before, by number. Read from the record when it is first looked at.
        new_id: makes an id for an instance of the node or scaling group that it is told, other at each call. What was
            planned with it is recorded with the stage, so a resume invents no others.
    """

    execution: ExecutionId
    now: datetime
    deployment: Deployment
    blueprint: Blueprint
    instances: Sequence[NodeInstance]
    new_id: Callable[[str], str]
    stage: int = 0
    first: int = 0
    failed: bool = False
    ended: Sequence[Ended] = ()
    contained: Callable[[], Mapping[DeploymentId, Collection[DeploymentId]]] = dict


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """Tasks to be done next, and what changes of the deployment before they begin.

    Attributes:
        reshape: made in the transaction that records the tasks. The tasks are planned on what it leaves.
        forgives: failures so far do not fail the execution: this stage makes up for them. Without it the execution
            ends as failed with their messages, whatever the stages after them do.
        about: what it does, for people; told when it begins, for example "reinstall db_a1b2c3".
    """

    graph: TaskGraph
    reshape: Reshape | None = None
    forgives: bool = False
    about: str = ""


class Stages(Protocol):
    """A workflow that was given its parameters. It keeps nothing between calls: `facts` says where it stands."""

    def next(self, facts: Facts) -> Stage | None:
        """Return the next stage, or None when the workflow has nothing more to do.

        It is asked after a failure too: a workflow that does not go on then returns None when `facts.failed`. A stage
        closes those before it: what failed there or waits for it is not run again, not even by a resume.

        Raises:
            PlanningError: when it cannot be planned; the execution fails with its message.
        """


Workflow = Callable[[Mapping[str, Data]], Stages]
"""Takes a workflow's parameters (by name, defaults filled in, evaluated)."""
