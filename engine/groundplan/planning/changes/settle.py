"""What a value is as far as inputs and the blueprint tell, for comparing two of them (spec 5.10).

Functions of run time and secrets stay functions; nothing is looked up in the world. The real thing is `evaluate`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from groundplan.model.blueprint import Blueprint, NodeTemplate
from groundplan.model.deployment import NodeInstance
from groundplan.model.ids import InstanceId, NodeId
from groundplan.model.secret import SecretValue
from groundplan.model.values import Data, Map, Sensitive, Seq, Value, from_data
from groundplan.planning.evaluation import Evaluation, EvaluationFault, Here, LookupFault, Scope
from groundplan.planning.functions import FUNCTIONS, RUN_TIME

_OPEN: Final = RUN_TIME | {"get_secret"}


@dataclass(frozen=True, slots=True)
class Open:
    """A function that stays one, with its argument as far as that is known."""

    name: str
    argument: Data


class Settling:
    """Settles the values of one blueprint with its inputs."""

    def __init__(self, blueprint: Blueprint, inputs: Mapping[str, Data]) -> None:
        self._evaluation = _Partial(_Written(blueprint, inputs), FUNCTIONS)

    def settle(self, value: Value, scope: Scope) -> Data:
        """Return a value with every function evaluated that can be; the others are `Open`."""
        if not isinstance(value, Map | Seq) and not hasattr(value, "argument"):
            return value
        try:
            return self._evaluation.value(value, scope)
        except (EvaluationFault, RecursionError):
            return value


def same(one: Data, other: Data) -> bool:
    """Whether two settled values are the same: of one kind and content, whatever the order of keys."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(item, other[key]) for key, item in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Open) and isinstance(other, Open):
        return one.name == other.name and same(one.argument, other.argument)
    if isinstance(one, Sensitive) and isinstance(other, Sensitive):
        return same(one.value, other.value)
    return type(one) is type(other) and bool(one == other)


class _Partial(Evaluation):
    """An evaluation that leaves open what only run time or a secret can tell."""

    def apply(self, here: Here, argument: Data) -> Data:
        """Give a function its argument, unless it must stay open."""
        if here.function in _OPEN or _holds_open(argument):
            return Open(here.function, argument)
        try:
            return super().apply(here, argument)
        except EvaluationFault:
            return Open(here.function, argument)


def _holds_open(data: Data) -> bool:
    if isinstance(data, dict):
        return any(map(_holds_open, data.values()))
    if isinstance(data, list):
        return any(map(_holds_open, data))
    return isinstance(data, Open)


class _Written:
    """A `Lookup` that knows what is written and nothing of the world."""

    def __init__(self, blueprint: Blueprint, inputs: Mapping[str, Data]) -> None:
        self._blueprint = blueprint
        self._inputs = inputs

    def input(self, name: str) -> Value:
        if name not in self._inputs:
            raise LookupFault(f"There is no input {name!r}.")
        return from_data(self._inputs[name])

    def node(self, name: str) -> NodeTemplate:
        found = self._blueprint.nodes.get(NodeId(name))
        if found is None:
            raise LookupFault(f"There is no node {name!r}.")
        return found

    def instances_of(self, node: NodeId) -> Sequence[NodeInstance]:
        return ()

    def instance(self, instance: InstanceId) -> NodeInstance:
        raise _unknown()

    def secret(self, name: str) -> SecretValue:
        raise _unknown()

    def capability(self, deployment: str, name: str) -> Data:
        raise _unknown()

    def group_capability(self, group: str, names: Sequence[str]) -> Mapping[str, Sequence[Data]]:
        raise _unknown()

    def environment_capability(self, name: str) -> Data:
        raise _unknown()

    def label(self, key: str) -> Sequence[str]:
        raise _unknown()

    def sys(self, entity: str, name: str) -> Data:
        raise _unknown()

    def consumers(self) -> Mapping[str, str]:
        raise _unknown()


def _unknown() -> LookupFault:
    return LookupFault("Only run time can tell.")
