"""How a workflow tells its tasks: stage by stage, each planned from what came of the ones before.

The built-in workflows are in `workflows`, and `workflows.table` finds them; the driver asks for the next stage when
the one before has ended well.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from groundplan.model.blueprint import Blueprint
from groundplan.model.deployment import NodeInstance
from groundplan.model.execution import TaskState
from groundplan.model.graph import TaskGraph
from groundplan.model.values import Data


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is known when a stage is planned.

    Attributes:
        instances: all node instances of the deployment as they are now.
        stage: how many stages were planned before.
        first: the number that the stage's first task gets.
        states: how the tasks of earlier stages ended, by number.
        results: what their operations returned, by number.
    """

    blueprint: Blueprint
    instances: Sequence[NodeInstance]
    stage: int = 0
    first: int = 0
    states: Mapping[int, TaskState] = field(default_factory=dict)
    results: Mapping[int, Data] = field(default_factory=dict)


class Stages(Protocol):
    """A workflow that was given its parameters. It keeps nothing between calls: `facts.stage` says where it stands."""

    def next(self, facts: Facts) -> TaskGraph | None:
        """Return the tasks of the next stage, or None when the workflow is done.

        Raises:
            PlanningError: when they cannot be planned.
        """


Workflow = Callable[[Mapping[str, Data]], Stages]
"""Takes a workflow's parameters (by name, defaults filled in, evaluated)."""
