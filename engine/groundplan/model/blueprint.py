"""A compiled blueprint: what `dsl.compile` makes of text, what the store keeps, and what planning reads.

`to_plan` and `from_plan` are its stored form, a JSON document in the shape that the incumbent engine calls a plan;
functions in it stay as the author wrote them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import msgspec

from groundplan.model.ids import NodeId
from groundplan.model.types import Constraint, DataType, Schema
from groundplan.model.values import Data, Value, from_data, to_data

UNBOUNDED: Final = -1
_USUAL: Final = {"required": True, "hidden": False}


class Operation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One operation with its implementation resolved (spec 1.12, 2.4).

    Attributes:
        plugin: name of the plugin as the blueprint declares it; empty for a no-op.
        operation: what the plugin is asked for, for example `fabric_plugin.tasks.run_script`.
        max_retries: attempts after the first; -1 without limit; None for the engine's default.
        retry_interval: seconds between attempts, or None for the engine's default.
        timeout: seconds an attempt may take, or None.
    """

    plugin: str = ""
    operation: str = ""
    inputs: Mapping[str, Value] = msgspec.field(default_factory=dict)
    executor: str | None = None
    max_retries: int | None = None
    retry_interval: float | None = None
    timeout: float | None = None
    timeout_recoverable: bool | None = None
    has_intrinsic_functions: bool = False

    @property
    def is_nop(self) -> bool:
        """Whether running it does nothing."""
        return not self.operation


Operations = Mapping[str, Operation]
"""By full name, `cloudify.interfaces.lifecycle.create`."""


class Relationship(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One relationship of a node template (spec 1.11)."""

    type: str
    target: NodeId
    type_hierarchy: tuple[str, ...]
    properties: Mapping[str, Value] = msgspec.field(default_factory=dict)
    source_operations: Operations = msgspec.field(default_factory=dict)
    target_operations: Operations = msgspec.field(default_factory=dict)

    def is_a(self, ancestor: str) -> bool:
        """Whether its type is, or derives from, `ancestor`."""
        return ancestor in self.type_hierarchy


@dataclass(frozen=True, kw_only=True, slots=True)
class Scalable:
    """How many instances a template or a scaling group has; `UNBOUNDED` is no upper limit. May hold functions."""

    default_instances: Value = 1
    min_instances: Value = 0
    max_instances: Value = UNBOUNDED


class NodeTemplate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A node template with type, defaults and operations merged in (spec 2).

    `operations` is keyed by full names only; `short_operations` gives the short ones (spec 1.12).
    """

    name: NodeId
    type: str
    type_hierarchy: tuple[str, ...]
    properties: Mapping[str, Value] = msgspec.field(default_factory=dict)
    operations: Operations = msgspec.field(default_factory=dict)
    relationships: tuple[Relationship, ...] = ()
    instances: Scalable = Scalable()

    def is_a(self, ancestor: str) -> bool:
        """Whether its type is, or derives from, `ancestor`."""
        return ancestor in self.type_hierarchy

    @property
    def is_host(self) -> bool:
        """Whether instances of it are hosts (spec 1.9)."""
        return any("cloudify.nodes.Compute" in name for name in self.type_hierarchy)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plugin:
    """A plugin as a blueprint declares it (spec 1.13)."""

    name: str
    executor: str = "central_deployment_agent"
    install: bool = True
    source: str | None = None
    install_arguments: str | None = None
    package_name: str | None = None
    package_version: str | None = None
    properties: Mapping[str, Data] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """The path of its code among the blueprint's files, in its namespace; empty when it is not there."""
        if not self.source or "://" in self.source:
            return ""
        namespace, separator, _ = self.name.rpartition("--")
        return f"{namespace}{separator}plugins/{self.source}"

    @property
    def values(self) -> dict[str, Data]:
        """What its properties were given, functions as written; nothing for those that were given none."""
        return {name: schema.get("value") for name, schema in self.properties.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Workflow:
    """A workflow mapping (spec 1.14)."""

    name: str
    plugin: str
    operation: str
    parameters: Mapping[str, Schema] = field(default_factory=dict)
    is_cascading: bool = False
    availability_rules: Data = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """An output or a capability (spec 1.16)."""

    value: Value
    description: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ScalingGroup:
    """Members that scale together, by the policy that targets the group (spec 1.15)."""

    members: tuple[str, ...]
    instances: Scalable = Scalable()


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """Everything an author wrote, merged, typed and checked.

    `groups`, `policies`, `policy_types`, `policy_triggers`, `labels`, `blueprint_labels`, `resource_tags` and
    `deployment_settings` are kept as the plan shows them.
    """

    version: str
    nodes: Mapping[NodeId, NodeTemplate]
    description: str | None = None
    metadata: Data = field(default_factory=dict)
    inputs: Mapping[str, Schema] = field(default_factory=dict)
    data_types: Mapping[str, DataType] = field(default_factory=dict)
    plugins: Mapping[str, Plugin] = field(default_factory=dict)
    workflows: Mapping[str, Workflow] = field(default_factory=dict)
    outputs: Mapping[str, Output] = field(default_factory=dict)
    capabilities: Mapping[str, Output] = field(default_factory=dict)
    groups: Data = field(default_factory=dict)
    scaling_groups: Mapping[str, ScalingGroup] = field(default_factory=dict)
    policies: Data = field(default_factory=dict)
    policy_types: Data = field(default_factory=dict)
    policy_triggers: Data = field(default_factory=dict)
    labels: Data = field(default_factory=dict)
    blueprint_labels: Data = field(default_factory=dict)
    resource_tags: Data = field(default_factory=dict)
    deployment_settings: Data = field(default_factory=dict)
    imported_blueprints: tuple[str, ...] = ()
    namespaces_mapping: Mapping[str, str] = field(default_factory=dict)
    required_secrets: tuple[str, ...] = ()
    required_parent_capabilities: tuple[Data, ...] = ()

    @cached_property
    def relationship_kinds(self) -> tuple[Relationship, ...]:
        """One relationship of each kind: those of a kind have one type and the very same operations.

        What no kind has, no relationship has; a large blueprint has few kinds.
        """
        kinds = {
            (item.type, id(item.source_operations), id(item.target_operations)): item
            for node in self.nodes.values()
            for item in node.relationships
        }
        return tuple(kinds.values())


def to_plan(blueprint: Blueprint) -> dict[str, Any]:
    """Return the JSON document of a blueprint (spec 1.3), functions as written."""
    return {
        "version": blueprint.version,
        "description": blueprint.description,
        "metadata": blueprint.metadata,
        "nodes": {name: _node_to_plan(node) for name, node in blueprint.nodes.items()},
        "inputs": {name: schema_to_plan(schema) for name, schema in blueprint.inputs.items()},
        "data_types": {name: _data_type_to_plan(item) for name, item in blueprint.data_types.items()},
        "plugins": {name: _plugin_to_plan(plugin) for name, plugin in blueprint.plugins.items()},
        "workflows": {name: _workflow_to_plan(item) for name, item in blueprint.workflows.items()},
        "outputs": _outputs_to_plan(blueprint.outputs),
        "capabilities": _outputs_to_plan(blueprint.capabilities),
        "groups": blueprint.groups,
        "scaling_groups": {
            name: {"members": list(group.members), "properties": _scalable_to_plan(group.instances)}
            for name, group in blueprint.scaling_groups.items()
        },
        "policies": blueprint.policies,
        "policy_types": blueprint.policy_types,
        "policy_triggers": blueprint.policy_triggers,
        "labels": blueprint.labels,
        "blueprint_labels": blueprint.blueprint_labels,
        "resource_tags": blueprint.resource_tags,
        "deployment_settings": blueprint.deployment_settings,
        "imported_blueprints": list(blueprint.imported_blueprints),
        "namespaces_mapping": dict(blueprint.namespaces_mapping),
        "requirements": {
            "secrets": list(blueprint.required_secrets),
            "parent_capabilities": list(blueprint.required_parent_capabilities),
        },
    }


def from_plan(plan: Mapping[str, Any]) -> Blueprint:
    """Return the blueprint of a stored plan; positions are `NOWHERE`."""
    return Blueprint(
        version=plan["version"],
        description=plan["description"],
        metadata=plan["metadata"],
        nodes={NodeId(name): _node_from_plan(name, node) for name, node in plan["nodes"].items()},
        inputs={name: schema_from_plan(schema) for name, schema in plan["inputs"].items()},
        data_types={name: _data_type_from_plan(name, item) for name, item in plan["data_types"].items()},
        plugins={name: _plugin_from_plan(name, item) for name, item in plan["plugins"].items()},
        workflows={name: _workflow_from_plan(name, item) for name, item in plan["workflows"].items()},
        outputs=_outputs_from_plan(plan["outputs"]),
        capabilities=_outputs_from_plan(plan["capabilities"]),
        groups=plan["groups"],
        scaling_groups={
            name: ScalingGroup(members=tuple(item["members"]), instances=_scalable_from_plan(item["properties"]))
            for name, item in plan["scaling_groups"].items()
        },
        policies=plan["policies"],
        policy_types=plan["policy_types"],
        policy_triggers=plan["policy_triggers"],
        labels=plan["labels"],
        blueprint_labels=plan["blueprint_labels"],
        resource_tags=plan["resource_tags"],
        deployment_settings=plan["deployment_settings"],
        imported_blueprints=tuple(plan["imported_blueprints"]),
        namespaces_mapping=plan["namespaces_mapping"],
        required_secrets=tuple(plan["requirements"]["secrets"]),
        required_parent_capabilities=tuple(plan["requirements"]["parent_capabilities"]),
    )


def short_operations(operations: Operations) -> Iterator[tuple[str, Operation]]:
    """Yield each operation under its bare name where only one interface defines that name (spec 1.12)."""
    owners: dict[str, list[str]] = {}
    for full in operations:
        owners.setdefault(full.rpartition(".")[2], []).append(full)
    for bare, full_names in owners.items():
        if len(full_names) == 1 and bare not in operations:
            yield bare, operations[full_names[0]]


def schema_to_plan(schema: Schema) -> dict[str, Any]:
    """Return a schema with only the keys that were written."""
    plan: dict[str, Any] = {}
    if schema.type is not None:
        plan["type"] = schema.type
    if schema.item_type is not None:
        plan["item_type"] = schema.item_type
    if schema.has_default:
        plan["default"] = to_data(schema.default)
    if not schema.required or "required" in schema.spelled_out:
        plan["required"] = schema.required
    for key in ("description", "display_label"):
        if getattr(schema, key) is not None:
            plan[key] = getattr(schema, key)
    if schema.hidden or "hidden" in schema.spelled_out:
        plan["hidden"] = schema.hidden
    if schema.display is not None:
        plan["display"] = to_data(schema.display)
    if schema.constraints:
        plan["constraints"] = [_constraint_to_plan(item) for item in schema.constraints]
    return plan


def schema_from_plan(plan: Mapping[str, Any]) -> Schema:
    """Return the schema of a plan's entry."""
    return Schema(
        type=plan.get("type"),
        item_type=plan.get("item_type"),
        default=from_data(plan.get("default")),
        has_default="default" in plan,
        required=plan.get("required", True),
        description=plan.get("description"),
        constraints=tuple(_constraint_from_plan(item) for item in plan.get("constraints", ())),
        display_label=plan.get("display_label"),
        hidden=plan.get("hidden", False),
        display=from_data(plan.get("display")),
        spelled_out=tuple(key for key, value in _USUAL.items() if plan.get(key) is value),
    )


def _constraint_to_plan(constraint: Constraint) -> dict[str, Any]:
    plan = {constraint.operator: to_data(constraint.argument)}
    return plan if constraint.error_message is None else {**plan, "error_message": constraint.error_message}


def _constraint_from_plan(plan: Mapping[str, Any]) -> Constraint:
    operator = next(key for key in plan if key != "error_message")
    return Constraint(operator=operator, argument=from_data(plan[operator]), error_message=plan.get("error_message"))


def _operation_to_plan(operation: Operation) -> dict[str, Any]:
    return {
        "plugin": operation.plugin,
        "operation": operation.operation,
        "executor": operation.executor,
        "inputs": {name: to_data(value) for name, value in operation.inputs.items()},
        "has_intrinsic_functions": operation.has_intrinsic_functions,
        "max_retries": operation.max_retries,
        "retry_interval": operation.retry_interval,
        "timeout": operation.timeout,
        "timeout_recoverable": operation.timeout_recoverable,
    }


def _operation_from_plan(plan: Mapping[str, Any]) -> Operation:
    # Most operations of most templates do nothing.
    if plan == _NOTHING_PLANNED:
        return NOTHING
    return Operation(**{**plan, "inputs": {name: from_data(value) for name, value in plan["inputs"].items()}})


NOTHING: Final = Operation()
"""The operation that does nothing."""
_NOTHING_PLANNED: Final = _operation_to_plan(NOTHING)


def _operations_to_plan(operations: Operations) -> dict[str, Any]:
    return {name: _operation_to_plan(operation) for name, operation in operations.items()}


def _operations_from_plan(plan: Mapping[str, Any]) -> dict[str, Operation]:
    return {name: _operation_from_plan(item) for name, item in plan.items() if "." in name}


def _node_to_plan(node: NodeTemplate) -> dict[str, Any]:
    scalable = _scalable_to_plan(node.instances)
    return {
        "type": node.type,
        "type_hierarchy": list(node.type_hierarchy),
        "properties": {name: to_data(value) for name, value in node.properties.items()},
        "instances": scalable,
        "operations": _operations_to_plan(node.operations),
        "relationships": [_relationship_to_plan(item) for item in node.relationships],
    }


def _node_from_plan(name: str, plan: Mapping[str, Any]) -> NodeTemplate:
    return NodeTemplate(
        name=NodeId(name),
        type=plan["type"],
        type_hierarchy=tuple(plan["type_hierarchy"]),
        properties={key: from_data(value) for key, value in plan["properties"].items()},
        operations=_operations_from_plan(plan["operations"]),
        relationships=tuple(_relationship_from_plan(item) for item in plan["relationships"]),
        instances=_scalable_from_plan(plan["instances"]),
    )


def _scalable_to_plan(scalable: Scalable) -> dict[str, Any]:
    default = to_data(scalable.default_instances)
    return {
        "default_instances": default,
        "min_instances": to_data(scalable.min_instances),
        "max_instances": to_data(scalable.max_instances),
        "current_instances": default,
        "planned_instances": default,
    }


def _scalable_from_plan(plan: Mapping[str, Any]) -> Scalable:
    return Scalable(
        default_instances=from_data(plan["default_instances"]),
        min_instances=from_data(plan["min_instances"]),
        max_instances=from_data(plan["max_instances"]),
    )


def _relationship_to_plan(relationship: Relationship) -> dict[str, Any]:
    return {
        "type": relationship.type,
        "target": relationship.target,
        "type_hierarchy": list(relationship.type_hierarchy),
        "properties": {name: to_data(value) for name, value in relationship.properties.items()},
        "source_operations": _operations_to_plan(relationship.source_operations),
        "target_operations": _operations_to_plan(relationship.target_operations),
    }


def _relationship_from_plan(plan: Mapping[str, Any]) -> Relationship:
    return Relationship(
        type=plan["type"],
        target=NodeId(plan["target"]),
        type_hierarchy=tuple(plan["type_hierarchy"]),
        properties={name: from_data(value) for name, value in plan["properties"].items()},
        source_operations=_operations_from_plan(plan["source_operations"]),
        target_operations=_operations_from_plan(plan["target_operations"]),
    )


def _data_type_to_plan(item: DataType) -> dict[str, Any]:
    return {
        "derived_from": item.derived_from,
        "description": item.description,
        "version": item.version,
        "properties": {name: schema_to_plan(schema) for name, schema in item.properties.items()},
    }


def _data_type_from_plan(name: str, plan: Mapping[str, Any]) -> DataType:
    return DataType(
        name=name,
        derived_from=plan["derived_from"],
        description=plan["description"],
        version=plan["version"],
        properties={key: schema_from_plan(schema) for key, schema in plan["properties"].items()},
    )


def _plugin_to_plan(plugin: Plugin) -> dict[str, Any]:
    return {
        "executor": plugin.executor,
        "install": plugin.install,
        "source": plugin.source,
        "install_arguments": plugin.install_arguments,
        "package_name": plugin.package_name,
        "package_version": plugin.package_version,
        "properties": dict(plugin.properties),
    }


def _plugin_from_plan(name: str, plan: Mapping[str, Any]) -> Plugin:
    return Plugin(name=name, **plan)


def _workflow_to_plan(item: Workflow) -> dict[str, Any]:
    return {
        "plugin": item.plugin,
        "operation": item.operation,
        "parameters": {name: schema_to_plan(schema) for name, schema in item.parameters.items()},
        "is_cascading": item.is_cascading,
        "availability_rules": item.availability_rules,
    }


def _workflow_from_plan(name: str, plan: Mapping[str, Any]) -> Workflow:
    parameters = {key: schema_from_plan(schema) for key, schema in plan["parameters"].items()}
    return Workflow(name=name, **{**plan, "parameters": parameters})


def _outputs_to_plan(outputs: Mapping[str, Output]) -> dict[str, Any]:
    plan: dict[str, Any] = {}
    for name, output in outputs.items():
        plan[name] = {"value": to_data(output.value)}
        if output.description is not None:
            plan[name]["description"] = output.description
    return plan


def _outputs_from_plan(plan: Mapping[str, Any]) -> dict[str, Output]:
    return {
        name: Output(value=from_data(item["value"]), description=item.get("description")) for name, item in plan.items()
    }
