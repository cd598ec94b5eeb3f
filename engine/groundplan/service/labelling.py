"""What a blueprint calls its deployments: their labels and display name, functions evaluated when one is made (spec
1.17, 3.2, 6.5). Both are shown to everybody, so nothing secret may become part of them.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from groundplan.diagnostics.trouble import Conflict, NotFound, UsageError
from groundplan.model.blueprint import Blueprint, Output
from groundplan.model.ids import DeploymentId
from groundplan.model.labels import PARENT, key_fault, value_fault
from groundplan.model.values import Data, from_data, is_sensitive
from groundplan.runtime.containment import Containment
from groundplan.runtime.evaluation import Evaluator
from groundplan.runtime.world import World
from groundplan.state.store import Snapshot

Labels = Mapping[str, tuple[str, ...]]
_LONGEST: Final = 256


def with_literals(labels: Labels, blueprint: Blueprint) -> Labels:
    """Return labels together with the texts that a blueprint writes for its deployments; none is there twice."""
    return _added(labels, {key: [it for it in each if isinstance(it, str)] for key, each in _written(blueprint)})


def with_functions(world: World, evaluator: Evaluator) -> Labels:
    """Return the labels of a deployment together with what the functions in its blueprint's labels give.

    Raises:
        UsageError: a value is secret, or cannot be a label.
        EvaluationFault: a function cannot be evaluated.
    """
    found: dict[str, list[str]] = {}
    for key, values in _written(world.blueprint):
        wanted = [Output(value=from_data(item)) for item in values if not isinstance(item, str)]
        path = f"labels.{key}"
        for output in wanted:
            value = evaluator.outputs(world, {key: output}, path).get(key)
            found.setdefault(key, []).append(_text(value, f"a value of the label {key!r}", path))
    return _added(world.deployment.labels, found)


def display_name(world: World, evaluator: Evaluator) -> str:
    """Return the display name that a blueprint gives its deployments; empty where it gives none.

    Raises:
        UsageError: it is secret, or no text.
        EvaluationFault: a function in it cannot be evaluated.
    """
    settings = world.blueprint.deployment_settings
    written = settings.get("display_name") if isinstance(settings, dict) else None
    if written is None:
        return ""
    path = "deployment_settings.display_name"
    value = evaluator.outputs(world, {"display_name": Output(value=from_data(written))}, path).get("display_name")
    return _text(value, "the display name", path)


def refuse_labels(snapshot: Snapshot, id: DeploymentId, labels: Labels) -> None:
    """Refuse what cannot be labels of a deployment, there already or not.

    Raises:
        UsageError: a label cannot be one.
        NotFound: there is no deployment to stand in.
        Conflict: a deployment would stand in itself.
    """
    for key, values in labels.items():
        wrong = key_fault(key) or next(filter(None, map(value_fault, values)), "")
        if wrong:
            raise UsageError(f"{key}:{','.join(values)} cannot be a label: {wrong}.")
    parents = labels.get(PARENT, ())
    if not parents:
        return
    below = {id, *Containment(snapshot).below(id)}
    for parent in parents:
        if snapshot.deployment(DeploymentId(parent)) is None:
            raise NotFound(f"There is no deployment {parent!r} for {id!r} to stand in.")
        if parent in below:
            raise Conflict(f"Deployment {id!r} cannot stand in {parent!r}, which stands in it.")


def _written(blueprint: Blueprint) -> Iterator[tuple[str, list[Data]]]:
    for key, entry in (blueprint.labels or {}).items():
        yield key.lower(), list(entry.get("values", ()))


def _added(labels: Labels, more: Mapping[str, list[str]]) -> Labels:
    found = dict(labels)
    for key, values in more.items():
        if values:
            found[key] = tuple(dict.fromkeys((*found.get(key, ()), *values)))
    return found


def _text(value: Data, what: str, path: str) -> str:
    if is_sensitive(value):
        raise UsageError(f"What is secret cannot be {what}, which everybody sees (in {path}).")
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise UsageError(f"{value!r} cannot be {what}: text is expected (in {path}).")
    text = str(value)
    if len(text) > _LONGEST or '"' in text or any(ord(character) < 32 for character in text):
        raise UsageError(
            f"{text[:40]!r} cannot be {what}: at most {_LONGEST} characters, no control characters or double quotes "
            f"(in {path})."
        )
    return text
