"""Reads what an update is to do from the parameters of a workflow that stands for one (spec 5.10).

The doors ask it before they start a workflow by its id; `updates` starts what it returns.
"""

from collections.abc import Mapping
from typing import Final

from groundplan.diagnostics.suggest import suggest
from groundplan.diagnostics.trouble import UsageError
from groundplan.model.update import UPDATE_WORKFLOWS
from groundplan.planning.changes.wishes import FLAGS
from groundplan.runtime.library import Library
from groundplan.service import deployments, executions
from groundplan.service.preparing import NewUpdate
from groundplan.state.store import Store

_PARAMETERS: Final[Mapping[str, tuple[str, tuple[type, ...]]]] = {
    "blueprint_id": ("blueprint", (str,)),
    "inputs": ("inputs", (dict,)),
    "workflow_id": ("workflow", (str,)),
    "reinstall_list": ("reinstall", (list,)),
    "auto_correct_types": ("convert", (bool,)),
    **{name: (name, (bool,)) for name in ("drift_only", *FLAGS)},
}
"""Parameters of an update that is started by its workflow id: the fields of `NewUpdate` that they are, and types."""
_TRUTHS: Final = {"true": True, "false": False}


def is_update(store: Store, library: Library, asked: executions.NewExecution) -> bool:
    """Whether a workflow that is to be started stands for an update: by its id, and the blueprint has none of that id.

    Raises:
        NotFound: there is no such deployment.
    """
    if asked.workflow not in UPDATE_WORKFLOWS:
        return False
    with store.snapshot() as snapshot:
        deployment = deployments.existing(snapshot, asked.deployment)
        return asked.workflow not in library.blueprint(snapshot, deployment.digest).workflows


def wished(asked: executions.NewExecution, by: str) -> NewUpdate:
    """Return the update that the parameters of a workflow ask for: `blueprint_id`, `inputs` and the flags of spec 5.10.

    Raises:
        UsageError: a parameter is unknown or of another type; a dry run or a place in the queue is asked for.
    """
    if asked.is_dry_run or asked.queue:
        raise UsageError(
            "An update can neither be queued nor run dry.",
            fix="See what it would do: groundplan deployments update --preview",
        )
    found: dict[str, object] = {}
    for name, value in asked.parameters.items():
        attribute, types = _PARAMETERS.get(name, (name, ()))
        if not types:
            near = suggest(name, _PARAMETERS)
            known = f"Did you mean {near!r}?" if near else f"It has {', '.join(_PARAMETERS)}."
            raise UsageError(f"An update has no parameter {name!r}.", fix=known)
        given = _TRUTHS.get(str(value), value) if bool in types else value
        if not isinstance(given, types):
            raise UsageError(f"Parameter {name!r} of an update cannot be {value!r}.")
        found[attribute] = tuple(given) if isinstance(given, list) else given
    # Each was held to the type of its field above.
    return NewUpdate(deployment=asked.deployment, force=asked.force, by=by, **found)  # type: ignore[arg-type]
