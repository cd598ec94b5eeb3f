"""Records of deployment updates as rows of `deployment_updates`, and back."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row

from groundplan.model.execution import ExecutionStatus
from groundplan.model.ids import DeploymentId, ExecutionId
from groundplan.model.update import Action, Difference, Entity, Link, Step, Update, UpdateId, UpdateState
from groundplan.state.seal import Seal
from groundplan.state.sql.codec import from_json, open_data, seal_data, to_json, to_moment, to_seconds

_WRITTEN = ("old_blueprint", "new_blueprint", "digest", "transition", "options", "notes")


def row_of(update: Update, seal: Seal) -> dict[str, Any]:
    """Return the columns of an update; its inputs are sealed, the rest shows no values."""
    document = {name: getattr(update, name) for name in _WRITTEN}
    document["steps"] = [asdict(step) for step in update.steps]
    document["difference"] = asdict(update.difference)
    inputs = {"old": dict(update.old_inputs), "new": dict(update.new_inputs)}
    return {
        "id": update.id,
        "deployment_id": update.deployment,
        "execution_id": update.execution,
        "state": update.state,
        "created_at": to_seconds(update.created_at),
        "created_by": update.by,
        "document": to_json(document),
        "sealed_inputs": seal_data(seal, inputs, inputs_owner(update.id)),
    }


def update_of(row: Row[Any], status: str | None, seal: Seal) -> Update:
    """Return the update of a row; its state is told by the status of its execution, while that is kept."""
    document = from_json(row.document)
    inputs = open_data(seal, row.sealed_inputs, inputs_owner(row.id))
    return Update(
        id=UpdateId(row.id),
        deployment=DeploymentId(row.deployment_id),
        state=UpdateState(row.state) if status is None else UpdateState.of(ExecutionStatus(status)),
        created_at=to_moment(row.created_at),
        by=row.created_by,
        execution=None if row.execution_id is None else ExecutionId(row.execution_id),
        old_inputs=inputs["old"],
        new_inputs=inputs["new"],
        steps=tuple(map(_step, document["steps"])),
        difference=_difference(document["difference"]),
        **{name: document[name] for name in _WRITTEN if name != "notes"},
        notes=tuple(document["notes"]),
    )


def inputs_owner(id: str) -> str:
    """Return the name that the inputs of an update are sealed for."""
    return f"deployment_updates/{id}/inputs"


def _step(document: Mapping[str, Any]) -> Step:
    return Step(action=Action(document["action"]), entity=Entity(document["entity"]), path=tuple(document["path"]))


def _difference(document: Mapping[str, Any]) -> Difference:
    extended, reduced = (tuple(Link(**link) for link in document[name]) for name in ("extended", "reduced"))
    ids = {name: tuple(document[name]) for name in ("added", "removed", "modified", "unfinished")}
    return Difference(extended=extended, reduced=reduced, **ids)
