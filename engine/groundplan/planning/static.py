"""What can be tried before a deployment exists, and what its functions will need of the world (spec 3.2, 3.5, 6.4).

Trying finds unknown secrets, paths that lead nowhere and cycles while nothing is stored yet; the results are thrown
away and the functions kept. `evaluate` does the real thing when a value is read.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from groundplan.model.blueprint import Blueprint, NodeTemplate, Operations, Scalable
from groundplan.model.ids import DeploymentId
from groundplan.model.values import Call, Data, Map, Seq, Value, calls, from_data, reveal
from groundplan.planning.evaluation import (
    UNRESOLVED,
    Evaluation,
    EvaluationFault,
    Function,
    Here,
    Lookup,
    Scope,
    is_unresolved,
)
from groundplan.planning.functions import FUNCTIONS, RUN_TIME

CAPABILITY_FUNCTIONS: Final = frozenset({"get_capability", "get_environment_capability", "get_group_capability"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A value of a blueprint in which functions may stand, and what they can refer to there."""

    value: Value
    scope: Scope


@dataclass(frozen=True, kw_only=True, slots=True)
class CapabilityUse:
    """A function that makes this deployment depend on another one.

    Attributes:
        path: where it stands, for example `outputs.url`.
        function: its name.
        target: the other deployment, or None when only run time can tell.
    """

    path: str
    function: str
    target: DeploymentId | None


def places(blueprint: Blueprint) -> Iterator[Place]:
    """Yield every value of a blueprint that is evaluated some day (spec 3.2), inputs aside.

    Properties of relationships are not among them.
    """
    for node in blueprint.nodes.values():
        yield from _of_node(node)
    for section, outputs in (("outputs", blueprint.outputs), ("capabilities", blueprint.capabilities)):
        for name, output in outputs.items():
            yield Place(value=output.value, scope=Scope.of_outputs(f"{section}.{name}"))
    for name, group in blueprint.scaling_groups.items():
        yield from _of_scalable(group.instances, Scope.of_outputs(f"scaling_groups.{name}"))
    for section, written in (
        ("labels", blueprint.labels),
        ("resource_tags", blueprint.resource_tags),
        ("deployment_settings", blueprint.deployment_settings),
        ("policies", blueprint.policies),
    ):
        for name, data in written.items():
            yield Place(value=from_data(data), scope=Scope.of_outputs(f"{section}.{name}"))
    for name, plugin in blueprint.plugins.items():
        for key, data in plugin.values.items():
            yield Place(value=from_data(data), scope=Scope.of_outputs(f"plugins.{name}.properties.{key}"))


def _of_node(node: NodeTemplate) -> Iterator[Place]:
    path = f"node_templates.{node.name}"
    own = Scope.of_node(node.name)
    yield from _placed(node.properties, own, f"{path}.properties")
    yield from _of_operations(node.operations, own, path)
    yield from _of_scalable(node.instances, Scope.of_node(node.name, path))
    for index, relationship in enumerate(node.relationships):
        at = f"{path}.relationships[{index}]"
        both = Scope.of_relationship_template(node.name, relationship.target)
        yield from _of_operations(relationship.source_operations, both, f"{at}.source")
        yield from _of_operations(relationship.target_operations, both, f"{at}.target")


def _of_operations(operations: Operations, scope: Scope, path: str) -> Iterator[Place]:
    for name, operation in operations.items():
        yield from _placed(operation.inputs, scope, f"{path}.{name}.inputs")


def _of_scalable(scalable: Scalable, scope: Scope) -> Iterator[Place]:
    for name in ("default_instances", "min_instances", "max_instances"):
        yield from _placed({name: getattr(scalable, name)}, scope, f"{scope.path}.instances")


def _placed(values: Mapping[str, Value], scope: Scope, path: str) -> Iterator[Place]:
    """Yield the values that may hold functions; scalars cannot."""
    for name, value in values.items():
        if isinstance(value, Map | Seq | Call):
            yield Place(value=value, scope=scope.at(f"{path}.{name}"))


class _Trial(Evaluation):
    """An evaluation that leaves run-time functions alone and goes on after faults, collecting them."""

    def __init__(self, lookup: Lookup, functions: Mapping[str, Function]) -> None:
        super().__init__(lookup, functions)
        self.faults: list[EvaluationFault] = []

    def apply(self, here: Here, argument: Data) -> Data:
        """Try one function."""
        if here.function in RUN_TIME or is_unresolved(argument):
            return UNRESOLVED
        try:
            return super().apply(here, argument)
        except EvaluationFault as fault:
            self.faults.append(fault)
            return UNRESOLVED

    def attempt_each(self, value: Value, scope: Scope) -> None:
        """Try every outermost function of a value, so that a fault tells where exactly it stands."""
        try:
            for path, call in _outermost(value, scope.path):
                self.attempt(call, scope.at(path))
        except RecursionError:
            self.faults.append(EvaluationFault("The value is nested too deeply.", scope.path))

    def attempt(self, value: Value, scope: Scope) -> Data:
        """Try a value; never raises `EvaluationFault`."""
        try:
            return self.value(value, scope)
        except EvaluationFault as fault:
            self.faults.append(fault)
            return UNRESOLVED


def try_static(value: Value, scope: Scope, lookup: Lookup) -> list[EvaluationFault]:
    """Evaluate what needs nothing of run time, `get_secret` included, and return everything wrong with it.

    Functions of run time (`get_attribute`, `get_capability`...) and what is made of their results are left alone.
    """
    trial = _Trial(lookup, FUNCTIONS)
    trial.attempt_each(value, scope)
    return trial.faults


def try_blueprint(blueprint: Blueprint, lookup: Lookup) -> list[EvaluationFault]:
    """Try every value of a blueprint and every input; each fault is told once, at the first place that has it."""
    trial = _Trial(lookup, FUNCTIONS)
    for place in _all_places(blueprint, lookup):
        trial.attempt_each(place.value, place.scope)
    first: dict[tuple[str, str], EvaluationFault] = {}
    for fault in trial.faults:
        first.setdefault((fault.function, fault.message), fault)
    return list(first.values())


def _all_places(blueprint: Blueprint, lookup: Lookup) -> Iterator[Place]:
    for name in blueprint.inputs:
        yield Place(value=lookup.input(name), scope=Scope.of_outputs(f"inputs.{name}"))
    yield from places(blueprint)


def secrets_needed(blueprint: Blueprint) -> list[str]:
    """Return the names of the secrets that a blueprint names literally, in ascending order (spec 3.5)."""
    defaults = (schema.default for schema in blueprint.inputs.values())
    values: Iterable[Value] = (*(place.value for place in places(blueprint)), *defaults)
    return sorted({name for value in values for call in calls(value) for name in _literal_secret(call)})


def _literal_secret(call: Call) -> Iterator[str]:
    if call.name != "get_secret":
        return
    named = call.argument.items[0].value if isinstance(call.argument, Seq) and call.argument.items else call.argument
    if isinstance(named, str):
        yield named


def capability_uses(blueprint: Blueprint, lookup: Lookup) -> list[CapabilityUse]:
    """Return the functions that make a deployment depend on others, in the order of the blueprint (spec 3.5)."""
    found = []
    for place in _all_places(blueprint, lookup):
        for path, call in _calls_at(place.value, place.scope.path):
            if call.name in CAPABILITY_FUNCTIONS:
                target = _target(call, place.scope, lookup)
                found.append(CapabilityUse(path=path, function=call.name, target=target))
    return found


def environment_needs(blueprint: Blueprint, lookup: Lookup) -> dict[str, str]:
    """Return the capabilities that a deployment's environment must have: where each is first read, by its name."""
    found: dict[str, str] = {}
    for place in _all_places(blueprint, lookup):
        for path, call in _calls_at(place.value, place.scope.path):
            if call.name == "get_environment_capability":
                name = call.argument.items[0].value if isinstance(call.argument, Seq) else call.argument
                if isinstance(name, str):
                    found.setdefault(name, path)
    return found


def _target(call: Call, scope: Scope, lookup: Lookup) -> DeploymentId | None:
    if call.name != "get_capability":
        return None
    named = reveal(_Trial(lookup, FUNCTIONS).attempt(call.argument, scope))
    first = named[0] if isinstance(named, list) and named else None
    return DeploymentId(first) if isinstance(first, str) else None


def _calls_at(value: Value, path: str) -> Iterator[tuple[str, Call]]:
    for at, call in _outermost(value, path):
        yield at, call
        yield from _calls_at(call.argument, at)


def _outermost(value: Value, path: str) -> Iterator[tuple[str, Call]]:
    """Yield the functions that are inside no other one, with where each stands."""
    if isinstance(value, Call):
        yield path, value
    elif isinstance(value, Map):
        for key, field in value.entries.items():
            yield from _outermost(field.value, f"{path}.{key}")
    elif isinstance(value, Seq):
        for index, field in enumerate(value.items):
            yield from _outermost(field.value, f"{path}[{index}]")
