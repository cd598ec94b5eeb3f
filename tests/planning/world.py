"""A small world to evaluate in: a Lookup whose content stands in the test."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import structs

from groundplan.model.blueprint import Blueprint, NodeTemplate
from groundplan.model.deployment import NodeInstance
from groundplan.model.ids import InstanceId, NodeId
from groundplan.model.secret import SecretValue
from groundplan.model.values import Data, Value, from_data
from groundplan.planning.evaluate import LookupFault, Scope, UnknownSecret, evaluate

from .builders import blueprint, instances_of


@dataclass
class World:
    """One deployment and what is round it.

    Secrets that are not text are documents; inputs are plain data in which functions are recognised.
    """

    plan: Blueprint = field(default_factory=blueprint)
    inputs: Mapping[str, Data] = field(default_factory=dict)
    secrets: Mapping[str, Data] = field(default_factory=dict)
    capabilities: Mapping[str, Mapping[str, Data]] = field(default_factory=dict)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)
    instances: Sequence[NodeInstance] = ()

    @classmethod
    def installed(cls, plan: Blueprint, runtime: Mapping[str, Mapping[str, Data]], **known: object) -> "World":
        """A world with the plan's instances; `runtime` gives runtime properties by node."""
        made = tuple(
            structs.replace(item, runtime_properties=runtime.get(item.node, {})) for item in instances_of(plan)
        )
        return cls(plan=plan, instances=made, **known)  # type: ignore[arg-type]

    def input(self, name: str) -> Value:
        if name not in self.inputs:
            raise LookupFault(f"There is no input {name!r}.")
        return from_data(self.inputs[name])

    def node(self, name: str) -> NodeTemplate:
        if name not in self.plan.nodes:
            raise LookupFault(f"There is no node {name!r}.")
        return self.plan.nodes[NodeId(name)]

    def instances_of(self, node: NodeId) -> Sequence[NodeInstance]:
        return [item for item in self.instances if item.node == node]

    def instance(self, instance: InstanceId) -> NodeInstance:
        return next(item for item in self.instances if item.id == instance)

    def secret(self, name: str) -> SecretValue:
        if name not in self.secrets:
            raise UnknownSecret(name)
        value = self.secrets[name]
        if isinstance(value, str):
            return SecretValue(text=value)
        return SecretValue(text=json.dumps(value), is_document=True)

    def capability(self, deployment: str, name: str) -> Data:
        if name not in self.capabilities.get(deployment, {}):
            raise LookupFault(f"Deployment {deployment!r} has no capability {name!r}.")
        return self.capabilities[deployment][name]

    def group_capability(self, group: str, names: Sequence[str]) -> Mapping[str, Sequence[Data]]:
        members = {member: self.capabilities[member] for member in self.groups[group]}
        return {
            member: [known[name] for name in names] for member, known in members.items() if known.keys() >= set(names)
        }

    def environment_capability(self, name: str) -> Data:
        return self.capability("environment", name)

    def label(self, key: str) -> Sequence[str]:
        return self.labels.get(key, ())

    def sys(self, entity: str, name: str) -> Data:
        return f"{entity}'s {name}"

    def consumers(self) -> Mapping[str, str]:
        return self.users

    def __call__(self, written: Data, scope: Scope | None = None) -> Data:
        """Evaluate what an author wrote; as an output, when no scope is given."""
        return evaluate(from_data(written), scope or Scope.of_outputs("outputs.o"), self)

    def at(self, node: str, number: int = 0) -> Scope:
        """The scope of a node's instance."""
        return Scope.of_instance(self.instances_of(NodeId(node))[number], f"node_templates.{node}")

    def between(self, source: str, target: str) -> Scope:
        """The scope of a relationship between the first instances of two nodes."""
        return Scope.of_relationship(
            self.instances_of(NodeId(source))[0], self.instances_of(NodeId(target))[0], "relationship"
        )
