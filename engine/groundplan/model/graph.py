"""What a workflow plans: tasks and their order. It knows order, not how to run; `planning.advance` walks it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from groundplan.model.deployment import InstanceState
from groundplan.model.ids import DeploymentId, InstanceId
from groundplan.model.values import Data

_LIFECYCLES: Final = ("lifecycle", "relationship_lifecycle")


class TaskKind(StrEnum):
    """What the driver does for a task."""

    OPERATION = "operation"
    """Run one operation of a plugin."""
    CHILD = "child"
    """One step with a child deployment; the engine's own, not a plugin's (house: composition belongs to the engine)."""
    STATE = "state"
    """Only set the instance's state: nothing to run."""
    DEPLOYMENT = "deployment"
    """Run a workflow of another deployment and wait for its end; for no instance, so no operation of the blueprint."""
    LOCAL = "local"
    """Run in the process of a custom workflow, or kept for it: a function of its own, or what it was shown."""


class Side(StrEnum):
    """On which end of a relationship an operation runs."""

    SOURCE = "source"
    TARGET = "target"


class RelationshipRef(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The relationship instance that a relationship operation belongs to.

    Attributes:
        index: the relationship's place in the source template's list.
    """

    index: int
    source: InstanceId
    target: InstanceId
    side: Side


class Task(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One vertex of a task graph.

    Attributes:
        number: its place in the graph, from 0, unique within the execution.
        instance: the node instance it is for (the source's in a relationship operation); empty for a `LOCAL` task
            that is for none, and for a `DEPLOYMENT` one.
        operation: full name, `cloudify.interfaces.lifecycle.create`; empty for `STATE`; of a `LOCAL` one its name; of a
            `DEPLOYMENT` one the workflow.
        before: state that the instance gets when the task starts, or None.
        after: state that it gets when the task succeeds, or None.
        ignore_failure: the workflow goes on when it fails (spec 5.4).
        retries: attempts after the first, overriding the operation's and the engine's; None leaves them.
        arguments: operation inputs laid over those of the blueprint (`operation_kwargs`, spec 5.7); of a `DEPLOYMENT`
            task the parameters of the workflow.
        deployment: that of a `DEPLOYMENT` task.
        request: number and name of the request of a custom workflow that asked for it; empty for a planned one.
    """

    number: int
    kind: TaskKind
    instance: InstanceId
    operation: str = ""
    relationship: RelationshipRef | None = None
    before: InstanceState | None = None
    after: InstanceState | None = None
    ignore_failure: bool = False
    retries: int | None = None
    arguments: Mapping[str, Data] = msgspec.field(default_factory=dict)
    request: str = ""
    deployment: DeploymentId | None = None

    @property
    def name(self) -> str:
        """The operation's last part, as people read it (`create`); the state's name for a state task."""
        return self.operation.rpartition(".")[2] or str(self.after or "")

    @property
    def label(self) -> str:
        """What people call it: `vm_a1b2c3.create`, or `web_d4e5f6->vm_a1b2c3.establish`."""
        ends = self.instance if self.relationship is None else f"{self.instance}->{self.relationship.target}"
        return f"{ends}.{self.short}" if ends else self.short

    @property
    def short(self) -> str:
        """Its name, with its interface (`validation.create`) where that is none of the usual two."""
        interface = self.operation.rpartition(".")[0].rpartition(".")[2]
        return self.name if interface in ("", *_LIFECYCLES) else f"{interface}.{self.name}"

    def asked_for_by(self, request: str) -> "Task":
        """Return the task with the request that asked for it."""
        return msgspec.structs.replace(self, request=request)


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskGraph:
    """Tasks and, for each, the numbers of the tasks it waits for.

    Invariant: `waits[i]` belongs to `tasks[i]`, `tasks[i].number == first + i`, and the graph is acyclic.
    """

    tasks: Sequence[Task]
    waits: Sequence[Sequence[int]]
    first: int = 0
