"""The machinery of evaluating: where one stands, what is looked up, and how nesting and cycles are kept in check.

What each function does is in `functions`; `evaluate` is the way in.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, NamedTuple, Protocol

from groundplan.model.blueprint import NodeTemplate
from groundplan.model.deployment import NodeInstance
from groundplan.model.ids import InstanceId, NodeId
from groundplan.model.secret import SecretValue
from groundplan.model.values import (
    FUNCTION_MARK,
    LEAVES,
    Call,
    Data,
    Map,
    Sensitive,
    Seq,
    Value,
    from_data,
    is_sensitive_name,
    literal,
)

LIMIT: Final = 50
"""How deep functions may be nested, in arguments and in results together (spec 3.2)."""


_LASTING: Final = frozenset(
    {
        "concat",
        "get_input",
        "get_property",
        "merge",
        "string_find",
        "string_lower",
        "string_replace",
        "string_split",
        "string_upper",
    }
)
"""Functions that give the same at the same node as long as blueprint and inputs are the same."""


class LookupFault(Exception):
    """A `Lookup` does not hold what was asked for.

    Attributes:
        message: one sentence that names it, secrets masked.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UnknownSecret(LookupFault):
    """There is no secret of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no secret {name!r}.")
        self.name = name


class EvaluationFault(Exception):
    """A function cannot be evaluated.

    Attributes:
        message: what is wrong, with the names involved; shows no secret value.
        path: where the evaluation began, and through which references it went.
        function: name of the function; empty when none is to blame.
        secret: name of the secret that does not exist, when that is the fault.
        ambiguous: whether a node was named of which several instances exist, or none (spec 3.4).
    """

    def __init__(
        self, message: str, path: str = "", function: str = "", *, secret: str = "", ambiguous: bool = False
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.function = function
        self.secret = secret
        self.ambiguous = ambiguous


class End(NamedTuple):
    """A node that a scope stands at; without an instance before any exists."""

    node: NodeId
    instance: NodeInstance | None = None


class Scope(NamedTuple):
    """Where a value stands, which gives SELF, SOURCE and TARGET their meaning (spec 3.2).

    Attributes:
        path: for people, for example `node_templates.db.properties.port`.
    """

    path: str = ""
    own: End | None = None
    source: End | None = None
    target: End | None = None

    @classmethod
    def of_outputs(cls, path: str = "") -> "Scope":
        """Outputs, capabilities, labels, settings: no node to refer to."""
        return cls(path=path)

    @classmethod
    def of_node(cls, node: NodeId, path: str = "") -> "Scope":
        """A node template, while no instance is meant."""
        return cls(path=path, own=End(node=node))

    @classmethod
    def of_instance(cls, instance: NodeInstance, path: str = "") -> "Scope":
        """Properties and operation inputs of one node instance."""
        return cls(path=path, own=End(node=instance.node, instance=instance))

    @classmethod
    def of_relationship(cls, source: NodeInstance, target: NodeInstance, path: str = "") -> "Scope":
        """Inputs of a relationship's operation, on either side."""
        return cls(
            path=path,
            source=End(node=source.node, instance=source),
            target=End(node=target.node, instance=target),
        )

    @classmethod
    def of_relationship_template(cls, source: NodeId, target: NodeId, path: str = "") -> "Scope":
        """Inputs of a relationship's operation, while no instance exists."""
        return cls(path=path, source=End(node=source), target=End(node=target))

    def at(self, path: str) -> "Scope":
        """Return the same scope for another path."""
        return self._replace(path=path)


class Lookup(Protocol):
    """What evaluating needs to know about one deployment and the world round it.

    Every method raises `LookupFault` when it does not hold what is asked for.
    """

    def input(self, name: str) -> Value:
        """Return a declared input of the deployment, functions in it unevaluated; None where it is unset."""

    def node(self, name: str) -> NodeTemplate:
        """Return a node template."""

    def instances_of(self, node: NodeId) -> Sequence[NodeInstance]:
        """Return the instances of a node, with their runtime properties."""

    def instance(self, instance: InstanceId) -> NodeInstance:
        """Return one instance, with its runtime properties."""

    def secret(self, name: str) -> SecretValue:
        """Return a secret. Raises UnknownSecret."""

    def capability(self, deployment: str, name: str) -> Data:
        """Return a capability of another deployment, evaluated there."""

    def group_capability(self, group: str, names: Sequence[str]) -> Mapping[str, Sequence[Data]]:
        """Return, by id of each deployment of a group that has them all, those capabilities."""

    def environment_capability(self, name: str) -> Data:
        """Return a capability of the deployment named by the label `csys-obj-parent`."""

    def label(self, key: str) -> Sequence[str]:
        """Return the values of a label of this deployment; empty when it has none."""

    def sys(self, entity: str, name: str) -> Data:
        """Return `name` of the `tenant`, or `id`, `name`, `blueprint`, `owner` of the `deployment`."""

    def consumers(self) -> Mapping[str, str]:
        """Return the display names of the deployments that depend on this one, by id."""


Function = Callable[["Here", Data], Data]
"""Evaluates one intrinsic function: takes the place and the argument, in which every function is evaluated."""


class Unresolved:
    """Type of `UNRESOLVED`."""


UNRESOLVED: Final = Unresolved()
"""Stands in a trial (`static`) for data that only run time can tell; no other evaluation gives it."""


class Evaluation:
    """One evaluation: holds what is being followed at the moment, to notice when it comes back.

    Attributes:
        is_lasting: nothing but the blueprint and the deployment's inputs went into the result so far.
    """

    def __init__(self, lookup: Lookup, functions: Mapping[str, Function]) -> None:
        self.lookup = lookup
        self.is_lasting = True
        self._functions = functions
        self._following: dict[str, None] = {}
        self._depth = 0

    def value(self, value: Value, scope: Scope) -> Data:
        """Return a value with every function in it evaluated."""
        if isinstance(value, Map):
            return {
                key: item if type(item := field.value) in LEAVES else self.value(item, scope)
                for key, field in value.entries.items()
            }
        if isinstance(value, Seq):
            return [item if type(item := field.value) in LEAVES else self.value(item, scope) for field in value.items]
        if isinstance(value, Call):
            return self.call(value, scope)
        return value

    def call(self, call: Call, scope: Scope) -> Data:
        """Evaluate one function."""
        here = Here(evaluation=self, scope=scope, function=call.name, expected_type=call.expected_type)
        if self._depth >= LIMIT:
            raise here.fault(f"Functions are nested deeper than {LIMIT}.")
        self._depth += 1
        try:
            return self.apply(here, self.value(call.argument, scope))
        finally:
            self._depth -= 1

    def apply(self, here: "Here", argument: Data) -> Data:
        """Give a function its argument."""
        if here.function not in _LASTING:
            self.is_lasting = False
        try:
            return self._functions[here.function](here, argument)
        except UnknownSecret as unknown:
            raise here.fault(unknown.message, secret=unknown.name) from None
        except LookupFault as fault:
            raise here.fault(fault.message) from None

    def data(self, data: Data, scope: Scope) -> Data:
        """Return runtime data with the functions that the engine put there evaluated; other data stays as it is."""
        if isinstance(data, dict):
            if len(data) == 1 and isinstance(data.get(FUNCTION_MARK), dict):
                return self.value(from_data(data[FUNCTION_MARK]), scope)
            shielded = literal(data)
            return {
                key: item if type(item) in LEAVES else self.data(item, scope)
                for key, item in (data if shielded is None else shielded).items()
            }
        if isinstance(data, list):
            return [item if type(item) in LEAVES else self.data(item, scope) for item in data]
        return data

    def following(self, here: "Here", reference: str) -> AbstractContextManager[None]:
        """Note that a reference is being followed.

        Raises:
            EvaluationFault: when it is already, so that its value would need itself.
        """
        if reference in self._following:
            names = list(self._following)
            cycle = " -> ".join([*names[names.index(reference) :], reference])
            raise here.fault(f"This value needs itself: {cycle}.")
        return _Following(self._following, reference)

    def path(self, scope: Scope) -> str:
        """Return where the evaluation is, for people."""
        return " -> ".join(part for part in (scope.path, *self._following) if part)


class _Following:
    """The block in which a reference is followed; written out, since a generator costs several times as much."""

    __slots__ = ("_followed", "_reference")

    def __init__(self, followed: dict[str, None], reference: str) -> None:
        self._followed = followed
        self._reference = reference

    def __enter__(self) -> None:
        self._followed[self._reference] = None

    def __exit__(self, *_: object) -> None:
        del self._followed[self._reference]


class Here(NamedTuple):
    """Where a function is being evaluated: what its implementation is given.

    Attributes:
        expected_type: the call's second key `type`, or None.
    """

    evaluation: Evaluation
    scope: Scope
    function: str
    expected_type: str | None = None

    @property
    def lookup(self) -> Lookup:
        """What the evaluation looks things up in."""
        return self.evaluation.lookup

    def evaluate(self, value: Value) -> Data:
        """Evaluate what was found on the way to the result."""
        return self.evaluation.value(value, self.scope)

    def fault(self, message: str, *, secret: str = "", ambiguous: bool = False) -> EvaluationFault:
        """Return the fault of this function, to be raised."""
        path = self.evaluation.path(self.scope)
        return EvaluationFault(message, path, self.function, secret=secret, ambiguous=ambiguous)


def make_sensitive(data: Data) -> Data:
    """Wrap each leaf of some data, so that its shape can be seen and its content cannot."""
    if isinstance(data, dict):
        return {key: make_sensitive(item) for key, item in data.items()}
    if isinstance(data, list):
        return [make_sensitive(item) for item in data]
    return data if data is None or isinstance(data, Sensitive | Unresolved) else Sensitive(data)


def is_unresolved(data: Data) -> bool:
    """Whether `UNRESOLVED` is anywhere inside."""
    if isinstance(data, dict):
        return any(map(is_unresolved, data.values()))
    if isinstance(data, list):
        return any(map(is_unresolved, data))
    return isinstance(data, Unresolved)


def make_named_sensitive(data: Data) -> Data:
    """Wrap the leaves of a document whose own names, or a name above them, say that people must not see them."""
    if isinstance(data, dict):
        return {
            key: make_sensitive(item) if is_sensitive_name(key) else make_named_sensitive(item)
            for key, item in data.items()
        }
    return [make_named_sensitive(item) for item in data] if isinstance(data, list) else data
