"""Makes the process of a custom workflow, and answers what it asks about things that do not change.

Those answers are given in the thread that reads the process; they are no part of the record.
"""

from collections.abc import Callable, Mapping
from typing import Any

from groundplan.model.ids import NodeId
from groundplan.model.values import Data, reveal, sensitive_texts
from groundplan.planning.evaluate import EvaluationFault
from groundplan.planning.workflows.foreign import SCRIPT_PARAMETERS, ForeignWorkflow
from groundplan.runtime.dialogue.workflows import Workflows
from groundplan.runtime.drive import Drive
from groundplan.runtime.foreign.machine import Machine
from groundplan.runtime.foreign.messages import FileWanted, PropertiesWanted
from groundplan.runtime.foreign.workflow_process import Heard, Program, WorkflowProcess
from groundplan.runtime.masking import Masker
from groundplan.sdk.errors import NonRecoverableError


def make_process(
    house: Workflows,
    drive: Drive,
    workflow: ForeignWorkflow,
    parameters: Mapping[str, Data],
    masker: Masker,
    post: Callable[[Heard], None],
) -> WorkflowProcess:
    """Return the process, not started yet.

    Args:
        post: hands on what it says, but for what is answered here.

    Raises:
        NonRecoverableError: the home is bound to a sandbox that is down.
    """
    surroundings, deployment = house.surroundings, drive.world.deployment
    surroundings.check()
    machine = Machine(
        scratch=surroundings.scratch,
        resource_folders=surroundings.folders(deployment),
        namespaces=surroundings.imported(drive.world.blueprint),
        sandboxed=surroundings.sandboxed,
        unconfined=surroundings.unconfined,
        hidden=surroundings.hidden,
    )

    def hear(message: Heard) -> None:
        if isinstance(message, PropertiesWanted | FileWanted):
            process.send(_told(house, drive, process, masker, message))
            process.taken()
        else:
            post(message)

    # By these variables the process takes part in the execution's trace.
    trace = {} if house.observer is None else {"TRACEPARENT": house.observer.traceparent(drive.execution)}
    process = WorkflowProcess(machine, _program(workflow, parameters), hear, trace)
    return process


def _program(workflow: ForeignWorkflow, parameters: Mapping[str, Data]) -> Program:
    folders = (workflow.plugin.code,) if workflow.plugin.code else ()
    if workflow.function:
        return Program(function=workflow.function, folders=folders)
    script, text = (str(parameters.get(name) or "") for name in SCRIPT_PARAMETERS)
    return Program(script=script, source=text, folders=folders)


def _told(
    house: Workflows, drive: Drive, process: WorkflowProcess, masker: Masker, wanted: PropertiesWanted | FileWanted
) -> dict[str, Any]:
    of = wanted.path if isinstance(wanted, FileWanted) else wanted.node
    try:
        if isinstance(wanted, FileWanted):
            return {"type": "told", "of": of, "value": process.place_of(wanted.path)}
        if wanted.node not in drive.world.blueprint.nodes:
            raise NonRecoverableError(f"there is no node {wanted.node!r}")
        found = house.evaluator.node_properties(drive.world, NodeId(wanted.node))
    except (NonRecoverableError, EvaluationFault) as fault:
        return {"type": "told", "of": of, "error": fault.message}
    masker.learn(sensitive_texts(found))
    return {"type": "told", "of": of, "value": reveal(found)}
