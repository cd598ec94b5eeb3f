"""Updates of deployments as records for machines and as text for people; sensitive inputs are shown as dots."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from groundplan.cli.views.records import moment
from groundplan.diagnostics.visible import visible
from groundplan.model.update import Link, Step, Update
from groundplan.model.values import Data, conceal
from groundplan.service.updates import Preview


def update_record(item: Update) -> dict[str, Any]:
    """Return the record of an update; the key names are those that `cfy` prints where it has them."""
    difference = item.difference
    return {
        "id": item.id,
        "deployment_id": item.deployment,
        "state": str(item.state),
        "execution_id": item.execution,
        "created_at": moment(item.created_at),
        "created_by": item.by,
        "old_blueprint_id": item.old_blueprint,
        "new_blueprint_id": item.new_blueprint,
        "old_inputs": conceal(dict(item.old_inputs)),
        "new_inputs": conceal(dict(item.new_inputs)),
        "steps": [
            {"action": str(step.action), "entity_type": str(step.entity), "entity_id": ":".join(step.path)}
            for step in item.steps
        ],
        "node_instances": {
            "added": list(difference.added),
            "removed": list(difference.removed),
            "extended": [_link(link) for link in difference.extended],
            "reduced": [_link(link) for link in difference.reduced],
            "modified": list(difference.modified),
            "unfinished": list(difference.unfinished),
        },
        "options": dict(item.options),
        "notes": list(item.notes),
    }


def preview_record(found: Preview) -> dict[str, Any]:
    """Return what an update would do."""
    return {
        **update_record(found.update),
        "install": list(found.forecast.installed),
        "uninstall": list(found.forecast.uninstalled),
        "update": list(found.forecast.updated),
        "reinstall": list(found.forecast.reinstalled),
        "asked_for_drift": list(found.forecast.asked),
        "dependents": [
            {"deployment": user.source, "kind": str(user.kind), "node": user.node} for user in found.dependents
        ],
        "labels_added": {key: list(values) for key, values in found.labels.items()},
    }


def update_lines(item: Update) -> list[str]:
    """Return what people read of an update."""
    difference = item.difference
    lines = [
        f"Update {item.id} of {item.deployment}: {item.state}",
        f"  blueprint: {_arrow(item.old_blueprint, item.new_blueprint)}",
        f"  asked for by {item.by or 'nobody named'} at {moment(item.created_at)}"
        + (f", execution {item.execution}" if item.execution else ""),
        *_inputs(item.old_inputs, item.new_inputs),
        *_steps(item.steps),
        *_instances("Instances added", difference.added),
        *_instances("Instances removed", difference.removed),
        *_instances("Instances modified", difference.modified),
        *_instances("Relationships added", [_arrow(link.source, link.target) for link in difference.extended]),
        *_instances("Relationships removed", [_arrow(link.source, link.target) for link in difference.reduced]),
        *(f"note: {note}" for note in item.notes),
    ]
    return list(map(visible, lines))


def preview_lines(found: Preview) -> list[str]:
    """Return what people read of an update that was not done."""
    item, forecast = found.update, found.forecast
    nothing = not (item.steps or forecast.reinstalled or item.old_inputs != item.new_inputs)
    lines = [
        f"Update of {item.deployment} (preview {item.id}; nothing was changed)",
        f"  blueprint: {_arrow(item.old_blueprint, item.new_blueprint)}",
        *_inputs(item.old_inputs, item.new_inputs),
        *(["Nothing differs."] if nothing else []),
        *_steps(item.steps),
        *_instances("To uninstall", forecast.uninstalled),
        *_instances("To update", forecast.updated),
        *_instances("To reinstall", forecast.reinstalled),
        *_instances("To install", forecast.installed),
        *_instances("Relationships to establish", [_arrow(it.source, it.target) for it in item.difference.extended]),
        *_instances("Relationships to unlink", [_arrow(it.source, it.target) for it in item.difference.reduced]),
        *_instances("Asked first whether they have drifted", forecast.asked),
        *_instances("Labels added", [f"{key}: {', '.join(values)}" for key, values in found.labels.items()]),
        *_instances("Deployments that need this one", [f"{it.source} ({it.kind})" for it in found.dependents]),
        *(f"note: {note}" for note in item.notes),
    ]
    return list(map(visible, lines))


def _inputs(old: Mapping[str, Data], new: Mapping[str, Data]) -> Iterator[str]:
    shown_old, shown_new = conceal(dict(old)), conceal(dict(new))
    changed = [name for name in {**old, **new} if name not in old or name not in new or old[name] != new[name]]
    if changed:
        yield "Inputs"
    for name in changed:
        before = repr(shown_old[name]) if name in old else "(none)"
        after = repr(shown_new[name]) if name in new else "(none)"
        yield f"  {name}: {_arrow(before, after)}"


def _steps(steps: Sequence[Step]) -> Iterator[str]:
    if steps:
        yield "Steps"
    for step in steps:
        yield f"  {step.action:7} {step.entity:13} {': '.join(step.path)}"


def _instances(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield title
    for item in items:
        yield f"  {item}"


def _arrow(old: str, new: str) -> str:
    return old if old == new else f"{old} -> {new}"


def _link(link: Link) -> dict[str, Data]:
    return {"source": link.source, "index": link.index, "target": link.target}
