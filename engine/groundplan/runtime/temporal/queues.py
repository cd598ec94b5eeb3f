"""On which queue a task's attempts run, so that a worker inside a site serves what stands there.

The property `groundplan_queue` of the node, or of the host that it stands on; else the label `groundplan-queue` of the
deployment, or of the one whose component made it; else the queue `default`. Steps of composition belong to the engine
and run on `default`.
"""

from typing import Final

from groundplan.model.graph import Side, Task, TaskKind
from groundplan.model.ids import InstanceId
from groundplan.model.values import reveal
from groundplan.planning.faults import PlanningError
from groundplan.runtime.evaluation import EvaluationFault, Evaluator
from groundplan.runtime.temporal.messages import DEFAULT_QUEUE, QUEUE_NAME
from groundplan.runtime.world import World
from groundplan.state.store import Snapshot

LABEL: Final = "groundplan-queue"
PROPERTY: Final = "groundplan_queue"


class NoQueue(Exception):
    """What names the queue of a task cannot be read; the message says why."""


def deployment_queue(snapshot: Snapshot, world: World) -> str:
    """Return the queue of a deployment's label, of its own or of an owner's."""
    deployment = world.deployment
    while not deployment.labels.get(LABEL):
        owner = None if deployment.owner is None else snapshot.deployment(deployment.owner.deployment)
        if owner is None:
            return DEFAULT_QUEUE
        deployment = owner
    return deployment.labels[LABEL][0]


def task_queue_name(world: World, task: Task, evaluator: Evaluator, otherwise: str) -> str:
    """Return the queue of a task, `otherwise` where its node says nothing.

    Raises:
        NoQueue: the property is no name, or cannot be evaluated.
    """
    if task.kind in (TaskKind.CHILD, TaskKind.DEPLOYMENT):
        return DEFAULT_QUEUE
    name = _named(world, _place(task), evaluator) or otherwise
    if not QUEUE_NAME.fullmatch(name):
        raise NoQueue(f"{name!r} is not the name of a queue: letters, digits, dots, dashes and underscores only")
    return name


def _place(task: Task) -> InstanceId:
    ref = task.relationship
    if ref is None:
        return task.instance
    return ref.source if ref.side is Side.SOURCE else ref.target


def _named(world: World, id: InstanceId, evaluator: Evaluator) -> str:
    own = world.instance(id)
    places = [own] if own.host in (None, id) else [own, world.instance(own.host)]
    for instance in places:
        written = world.template(instance.id).properties.get(PROPERTY)
        if written is not None:
            path = f"node_templates.{instance.node}.properties.{PROPERTY}"
            try:
                return str(reveal(evaluator.value(world, instance, written, path)) or "")
            except (EvaluationFault, PlanningError) as error:
                raise NoQueue(f"{path}: {error}") from error
    return ""
