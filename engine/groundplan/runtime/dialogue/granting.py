"""What a request gives for which nothing runs: what there is to see, or the change that it makes.

In the transaction that records the request. Requests for which operations run are tasks like any others.
"""

from collections.abc import Mapping

from groundplan.model.deployment import NodeInstance
from groundplan.model.execution import Outcome, Verdict
from groundplan.model.ids import InstanceId
from groundplan.model.requests import (
    AnyRequest,
    ModificationsRequest,
    ModifiedRequest,
    ModifyRequest,
    ReadRequest,
    UpdateRequest,
)
from groundplan.model.values import Data, quote_marks, reveal
from groundplan.planning.workflows.modifying import (
    Standing,
    begin_modification,
    finish_modification,
    shown_modification,
    take_back_modification,
)
from groundplan.runtime.dialogue.workflows import Workflows
from groundplan.runtime.drive import Drive
from groundplan.runtime.evaluation import Evaluator
from groundplan.runtime.masking import Masker
from groundplan.runtime.recordable import recordable
from groundplan.sdk.errors import NonRecoverableError
from groundplan.state.store import Transaction

_Modification = ModifyRequest | ModifiedRequest | ModificationsRequest


def grant(request: AnyRequest, drive: Drive, transaction: Transaction, *, house: Workflows, masker: Masker) -> Outcome:
    """Return what comes of a request, having changed what it changes; nothing for one whose tasks run.

    Raises:
        NonRecoverableError: it cannot be granted as things stand.
        UsageError: it names what there is not.
        EvaluationFault: what is to be seen cannot be evaluated.
    """
    done, evaluator = Verdict.SUCCEEDED, Evaluator.within(house.library, transaction)
    if isinstance(request, ReadRequest):
        return Outcome(verdict=done, result=_seen(drive, evaluator, request.instance))
    if isinstance(request, UpdateRequest) and not drive.execution.is_dry_run:
        return Outcome(verdict=done, runtime_properties=_updated(request, drive, evaluator, masker))
    if isinstance(request, _Modification):
        return Outcome(verdict=done, result=_modify(request, drive, transaction, house))
    return Outcome(verdict=done)


def _modify(request: _Modification, drive: Drive, transaction: Transaction, house: Workflows) -> Data:
    """Change what the deployment consists of."""
    world, execution = drive.world, drive.execution
    standing = Standing(blueprint=world.blueprint, deployment=world.deployment, instances=world.instances)
    if isinstance(request, ModificationsRequest):
        begun = world.deployment.scaling.modification
        return [] if begun is None else [shown_modification(begun, world.instances)]
    if not drive.is_quiet_but_for(()):
        raise NonRecoverableError("a modification begins and ends when no task of the workflow runs")
    shown: Data = None
    if isinstance(request, ModifyRequest):
        reshape, shown = begin_modification(standing, execution.id, request.counts, house.new_id)
    elif request.finish:
        reshape = finish_modification(standing, execution.id, house.new_id)
    else:
        reshape = take_back_modification(standing, execution.id)
    if not execution.is_dry_run:
        transaction.reshape(execution.deployment, reshape)
    world.reshape(reshape, world.blueprint)
    return shown


def _updated(
    request: UpdateRequest, drive: Drive, evaluator: Evaluator, masker: Masker
) -> dict[InstanceId, Mapping[str, Data]]:
    """Return the runtime properties that an instance gets; what was not changed stays as it was stored."""
    world = drive.world
    instance = world.instance(InstanceId(request.instance))
    given = recordable(request.runtime_properties, f"runtime_properties of {instance.id}")
    raw = instance.runtime_properties
    shown = reveal(evaluator.runtime_properties(world, instance))
    properties = {
        key: raw[key] if key in shown and shown[key] == value else quote_marks(value) for key, value in given.items()
    }
    return {instance.id: masker.mark(properties)}


def _seen(drive: Drive, evaluator: Evaluator, only: str) -> Data:
    world = drive.world
    chosen = [world.instance(InstanceId(only))] if only else world.instances
    return [_instance(it, evaluator.runtime_properties(world, it)) for it in chosen]


def _instance(item: NodeInstance, runtime_properties: Mapping[str, Data]) -> dict[str, Data]:
    return {
        "id": item.id,
        "node": item.node,
        "index": item.index,
        "host": item.host,
        "state": item.state,
        "runtime_properties": runtime_properties,
        "system_properties": dict(item.system_properties),
        "relationships": [[it.index, it.target_node, it.target] for it in item.relationships],
        "scaling_groups": [[it.name, it.id] for it in item.scaling_groups],
    }
