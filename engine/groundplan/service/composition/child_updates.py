"""Brings a component's child deployment to what the component says now: its blueprint, inputs and labels (spec 6.1).

Only a deployment that the component made itself is changed; of another one, the difference is told and left.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from groundplan.model.deployment import Deployment
from groundplan.model.execution import Execution, Outcome, Verdict
from groundplan.model.ids import BlueprintId, DeploymentId
from groundplan.model.reshape import Content, Reshape
from groundplan.model.values import Data
from groundplan.runtime.children import ChildCall
from groundplan.runtime.library import Library
from groundplan.sdk.errors import NonRecoverableError
from groundplan.service import deployments, updates
from groundplan.service.composition.awaiting import await_execution, wait_limit
from groundplan.service.composition.resource_config import ResourceConfig, read_inputs, target_of
from groundplan.service.home import Home
from groundplan.service.preparing import NewUpdate
from groundplan.state.store import Snapshot, Transaction

Labels = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildDifference:
    """What a component says of its child that is not so.

    Attributes:
        id: the id that it is to have, where that is another; None otherwise. No update gives it that.
        blueprint: the blueprint that it is to have, where that is another or has other content; None otherwise.
        inputs: those that are to have other values.
        labels: those that it lacks.
    """

    id: DeploymentId | None
    blueprint: BlueprintId | None
    inputs: Mapping[str, Data]
    labels: Labels

    def to_data(self) -> dict[str, Data]:
        """Return what differs by name, without values: the drift of a component."""
        found: dict[str, Data] = {}
        if self.id is not None:
            found["deployment"] = self.id
        if self.blueprint is not None:
            found["blueprint"] = self.blueprint
        if self.inputs:
            found["inputs"] = sorted(self.inputs)
        if self.labels:
            found["labels"] = sorted(self.labels)
        return found


def find_child_difference(
    snapshot: Snapshot, call: ChildCall, config: ResourceConfig, labels: Labels
) -> ChildDifference:
    """Return what of a child differs from what its component says.

    Args:
        labels: those that the component gives its child.
    """
    child = deployments.existing(snapshot, target_of(call, config))
    wanted, declared = read_inputs(call), BlueprintId(str(config.blueprint.get("id") or child.blueprint))
    stored = snapshot.blueprint(declared)
    is_other = declared != child.blueprint or (stored is not None and stored.digest != child.digest)
    return ChildDifference(
        id=_other_id(config, child.id),
        blueprint=declared if is_other else None,
        inputs={name: value for name, value in wanted.items() if child.inputs.get(name) != value},
        labels={key: values for key, values in labels.items() if not set(values) <= set(child.labels.get(key, ()))},
    )


def _other_id(config: ResourceConfig, child: DeploymentId) -> DeploymentId | None:
    wanted = str(config.deployment.get("id") or child)
    counted = bool(config.deployment.get("auto_inc_suffix")) and child.rpartition("-")[0] == wanted
    return None if wanted == child or counted else DeploymentId(wanted)


def update_child(
    transaction: Transaction,
    library: Library,
    home: Home,
    call: ChildCall,
    config: ResourceConfig,
    difference: ChildDifference,
    now: datetime,
) -> Outcome:
    """Begin the update of a child and wait for its end; labels alone are added at once.

    Raises:
        NonRecoverableError: it is to have another id.
        UsageError: the child cannot be updated so.
        OperationRetry: something else runs in the child.
    """
    child = deployments.existing(transaction, target_of(call, config))
    if difference.id is not None:
        raise NonRecoverableError(
            f"Deployment {child.id!r} is to be {difference.id!r}: a deployment keeps its id, so the component must be "
            "reinstalled."
        )
    if difference.labels:
        _add_labels(transaction, child, difference.labels)
    own = any(item.parent == call.task for item in transaction.executions(deployment=child.id))
    if difference.blueprint is None and not difference.inputs and not own:
        return Outcome(verdict=Verdict.SUCCEEDED)
    new = NewUpdate(
        deployment=child.id,
        blueprint=difference.blueprint,
        inputs=difference.inputs,
        by=f"component {call.context.instance.id} of {call.deployment.id}",
        parent=call.task,
    )

    def begin() -> Execution:
        return updates.start_in(transaction, library, home, new, now)

    return await_execution(transaction, library, call.task, child.id, begin, wait_limit(call))


def _add_labels(transaction: Transaction, child: Deployment, labels: Labels) -> None:
    merged = {**child.labels}
    for key, values in labels.items():
        merged[key] = tuple(dict.fromkeys((*merged.get(key, ()), *values)))
    content = Content(blueprint=child.blueprint, digest=child.digest, inputs=child.inputs, labels=merged)
    transaction.reshape(child.id, Reshape(content=content))
