"""Whether what an input or parameter names exists and keeps the constraints on it (spec 1.6, 1.7): blueprints,
deployments, secrets, and what is inside a deployment or the blueprint that one is made of.

There are no stored filters, and one tenant; a constraint that needs more is not kept.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from groundplan.diagnostics.suggest import suggest
from groundplan.model.blueprint import Blueprint, Output
from groundplan.model.deployment import Deployment
from groundplan.model.ids import DeploymentId
from groundplan.model.types import Constraint
from groundplan.model.values import Data, Value, is_sensitive, reveal
from groundplan.runtime.evaluation import Evaluator
from groundplan.runtime.library import Library
from groundplan.runtime.world import World
from groundplan.state.store import Snapshot

TENANT: Final = "default_tenant"
_WORDS: Final = {
    "blueprint_id": "blueprint",
    "deployment_id": "deployment",
    "secret_key": "secret",
    "capability_value": "capability with the value",
    "scaling_group": "scaling group",
    "node_id": "node template",
    "node_type": "node type",
    "node_instance": "node instance",
    "operation_name": "operation",
}
_NEED_A_DEPLOYMENT: Final = frozenset({"capability_value", "node_instance"})
_PATTERNS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "contains": str.__contains__,
    "equals_to": str.__eq__,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entity:
    """One that could be named: by `value`; `name` is what `name_pattern` looks at."""

    value: Data
    name: str = ""
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)


class _Entities:
    """All of one type."""

    def __init__(self, all_: Sequence[_Entity]) -> None:
        self.all = all_
        self._by_text = {each.value: each for each in all_ if isinstance(each.value, str)}

    def find(self, value: Data) -> _Entity | None:
        """Return the one that a value names."""
        if isinstance(value, str):
            return self._by_text.get(value)
        return next((each for each in self.all if each.value == value), None)


class Entities:
    """What exists while a deployment is made or updated."""

    def __init__(
        self,
        snapshot: Snapshot,
        library: Library,
        deployment: Deployment,
        blueprint: Blueprint,
        *,
        ambient: bool = False,
    ) -> None:
        """Look around.

        Args:
            deployment: the one that is made; its inputs are not there yet.
            blueprint: what it is made of.
            ambient: the deployment is there already, and what has to be in a deployment is looked for in it.
        """
        self._ambient = deployment if ambient else None
        self._lists: dict[tuple[str, DeploymentId | None], _Entities] = {}
        self._snapshot = snapshot
        self._library = library
        self._blueprint = blueprint
        self._evaluator = Evaluator.within(library, snapshot)
        self._world = World(deployment, blueprint, ())

    def evaluate(self, argument: Value) -> Data:
        """Evaluate the argument of a constraint. Raises `EvaluationFault`."""
        return self._evaluator.outputs(self._world, {"argument": Output(value=argument)}, "constraints")["argument"]

    def wrong(self, type_name: str, value: Data, constraints: Sequence[Constraint]) -> str | None:
        """Return None when there is such an entity and it keeps the constraints, else a sentence (`inputs.Exists`)."""
        rules = {each.operator: reveal(each.argument) for each in constraints}
        word, named = _WORDS[type_name], reveal(value)
        shown = "that" if is_sensitive(value) else repr(named)
        if type_name in _NEED_A_DEPLOYMENT and "deployment_id" not in rules and self._ambient is None:
            return f"a {word} can only be looked for in a deployment; add the constraint deployment_id."
        inside = rules.get("deployment_id")
        home = self._ambient if inside is None else self._snapshot.deployment(DeploymentId(str(inside)))
        if inside is not None and home is None:
            return f"there is no deployment {inside!r} to look for it in."
        known = self._listed(type_name, home)
        found = known.find(named)
        if found is None:
            near = "" if is_sensitive(value) else _nearest(str(named), [each.name for each in known.all])
            return f"there is no {word} {shown}" + (f", did you mean {near!r}?" if near else ".")
        broken = next((operator for operator, argument in rules.items() if not _keeps(found, operator, argument)), None)
        return None if broken is None else f"the {word} {shown} is not one of those that {broken} allows."

    def _listed(self, type_name: str, home: Deployment | None) -> "_Entities":
        """Return what is there, read once: lists of thousands of instances are checked item by item."""
        key = (type_name, None if home is None else home.id)
        if key not in self._lists:
            self._lists[key] = _Entities(tuple(self._known(type_name, home)))
        return self._lists[key]

    def _known(self, type_name: str, home: Deployment | None) -> Iterator[_Entity]:
        match type_name:
            case "blueprint_id":
                for stored in self._snapshot.blueprints():
                    yield _Entity(value=stored.id, name=stored.id, labels=stored.labels)
            case "deployment_id":
                for item in self._snapshot.deployments():
                    yield _Entity(value=item.id, name=item.display_name or item.id, labels=item.labels)
            case "secret_key":
                yield from (_Entity(value=item.name, name=item.name) for item in self._snapshot.secrets())
            case "node_instance" if home is not None:
                for instance in self._snapshot.instances(home.id):
                    yield _Entity(value=instance.id, name=instance.id)
            case "capability_value" if home is not None:
                world = self._library.world(self._snapshot, home)
                values = self._evaluator.outputs(world, world.blueprint.capabilities, "capabilities")
                yield from (_Entity(value=reveal(value), name=name) for name, value in values.items())
            case _:
                looked = self._blueprint if home is None else self._library.blueprint(self._snapshot, home.digest)
                yield from (_Entity(value=name, name=name) for name in _inside(looked, type_name))


def _nearest(named: str, known: Sequence[str]) -> str:
    """Return the known name that was meant: the nearest, or the one of which only the end was given."""
    return suggest(named, known) or next((name for name in known if name.endswith(f".{named}")), "")


def _inside(blueprint: Blueprint, type_name: str) -> Iterator[str]:
    if type_name == "scaling_group":
        yield from blueprint.scaling_groups
    elif type_name == "node_id":
        yield from blueprint.nodes
    elif type_name == "node_type":
        yield from {name: None for node in blueprint.nodes.values() for name in node.type_hierarchy}
    else:
        yield from {name: None for node in blueprint.nodes.values() for name in node.operations}


def _keeps(entity: _Entity, operator: str, argument: Data) -> bool:
    match operator:
        case "labels":
            wanted = [(key.lower(), value) for pair in argument for key, value in pair.items()]
            return all(value in entity.labels.get(key, ()) for key, value in wanted)
        case "name_pattern":
            return all(_PATTERNS[key](entity.name, str(text)) for key, text in argument.items() if key in _PATTERNS)
        case "tenants":
            return TENANT in argument
        case "filter_id":
            return False
        case _:
            return True
