"""What one operation works on: the node instance with its row, its merged configuration and its client.

It reads and looks up; what is done to AWS is written in `lifecycle` and in the module of each special resource.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from groundplan.model.values import Data
from groundplan.sdk.context import Neighbour, OperationContext
from groundplan.sdk.operation import OperationFunction, operation
from groundplan_aws.catalogue import resource_of
from groundplan_aws.client import Api, account_of, connect
from groundplan_aws.failures import RefusedError
from groundplan_aws.resource import Resource, dig, first
from groundplan_aws.tagging import OWNER_KEY, owner, owner_in


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A node instance with a client: what operations without a row (rules, routes) work on.

    Attributes:
        config: `resource_config` with its `kwargs`, or the operation's input of that name if it gave one.
        external: the author brought the resource; nothing may change it unless `forced`.
    """

    ctx: OperationContext
    api: Api
    config: Mapping[str, Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def record(self) -> MutableMapping[str, Data]:
        """The instance's runtime properties."""
        return self.ctx.instance.runtime_properties

    @property
    def instance_id(self) -> str:
        return self.ctx.instance.id

    @property
    def external(self) -> bool:
        return bool(self.ctx.node.properties.get("use_external_resource"))

    @property
    def untouchable(self) -> bool:
        """Whether the resource is external and the operation was not forced."""
        return self.external and not self.inputs.get("force_operation")

    def neighbours(self, node_type: str) -> Sequence[Neighbour]:
        """Return the neighbours that this node points to and whose type is, or derives from, `node_type`."""
        return [other for other in self.ctx.neighbours if other.outgoing and other.node.is_a(node_type)]

    def values(self, node_type: str, recorded: str = "aws_resource_id") -> list[Any]:
        """Return a runtime property of all neighbours of a type, in their relationships' order, without blanks."""
        found = (other.instance.runtime_properties.get(recorded) for other in self.neighbours(node_type))
        return [value for value in found if value]

    def given_or_related(self, parameter: str, node_type: str, recorded: str = "aws_resource_id") -> Any:
        """Return a parameter from the configuration, else from the first neighbour of a type, else None."""
        return self.config.get(parameter) or next(iter(self.values(node_type, recorded)), None)


@dataclass(frozen=True, kw_only=True)
class Target(Subject):
    """A node instance that stands for one AWS resource with an id."""

    resource: Resource

    @property
    def id(self) -> str | None:
        """The recorded id, or the one an external resource was given."""
        found = self.record.get("aws_resource_id")
        if not found and self.external:
            found = self.ctx.node.properties.get("resource_id")
        return str(found) if found else None

    def describe(self, identifier: str) -> dict[str, Any] | None:
        """Return the resource as AWS describes it, in whatever state, or None when there is none."""
        try:
            answer = self.api.call(self.resource.describe, **{self.resource.ids: self.shaped(identifier)})
        except RefusedError as error:
            if error.refusal.absent:
                return None
            raise
        found: dict[str, Any] | None = first(answer, self.resource.listed)
        return found

    def shaped(self, identifier: str) -> Any:
        """Return an id as the describe call takes it: in a list, if the service's model says so."""
        return self.as_parameter(self.resource.describe, self.resource.ids, identifier)

    def as_parameter(self, method: str, parameter: str, value: Any) -> Any:
        """Return a value as a parameter takes it: a list wherever the service's model wants one."""
        wants_list = self.api.parameters(method).get(parameter) == "list"
        return [value] if wants_list and not isinstance(value, list) else value

    def owned(self) -> list[dict[str, Any]]:
        """Return all that carries this instance's owner tag, living or gone, recorded or lost.

        The tags are looked at here too: an endpoint that does not know the filter answers with everybody's resources.
        """
        known = self.api.parameters(self.resource.describe)
        parameter = "Filters" if "Filters" in known else "Filter"
        wanted = [{"Name": f"tag:{OWNER_KEY}", "Values": [owner(self.ctx)]}]
        answer = self.api.call(self.resource.describe, **{parameter: wanted})
        return [found for found in dig(answer, self.resource.listed) if owner_in(found) == owner(self.ctx)]

    def find_lost(self) -> dict[str, Any] | None:
        """Return what an attempt made whose record was lost: it carries this instance's owner tag."""
        return next((found for found in self.owned() if self.lives(found)), None)

    def lives(self, description: Mapping[str, Any]) -> bool:
        """Whether a described resource still counts."""
        return self.state_of(description) not in self.resource.gone

    def works(self, description: Mapping[str, Any]) -> bool:
        """Whether a described resource does its work; one of a kind without states does by being there."""
        healthy = self.resource.healthy
        return not healthy or self.state_of(description) in healthy

    def state_of(self, description: Mapping[str, Any]) -> str | None:
        """Return the state that a description tells, or None for a kind of resource that has none."""
        found = first(description, self.resource.state) if self.resource.state else None
        return None if found is None else str(found)

    def __str__(self) -> str:
        return f"{self.resource.label} {self.id or 'of ' + self.instance_id}"


def merged(config: Any) -> dict[str, Any]:
    """Return a `resource_config` as one level: its `kwargs` win over fields of the same name; nothings are left out."""
    written = dict(config or {})
    written |= written.pop("kwargs", None) or {}
    return {key: value for key, value in written.items() if value is not None}


def configuration(ctx: OperationContext, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the operation's input `resource_config`, or, if that is empty, the node's property."""
    return merged(inputs.get("resource_config")) or merged(ctx.node.properties.get("resource_config"))


def plain(description: Any) -> Data:
    """Return an answer of AWS as JSON data; times become ISO 8601 texts."""
    if isinstance(description, Mapping):
        return {str(key): plain(value) for key, value in description.items()}
    if isinstance(description, list):
        return [plain(value) for value in description]
    if isinstance(description, datetime):
        return description.isoformat()
    return description


def on_target(function: Callable[[Target], Data]) -> OperationFunction:
    """Make an operation of a function that works on a target."""

    def run(ctx: OperationContext, /, **inputs: Any) -> Data:
        resource = resource_of(ctx.node)
        return function(Target(resource=resource, **_common(ctx, inputs, resource.service)))

    return _marked(run, function)


def on_subject(function: Callable[[Subject], Data]) -> OperationFunction:
    """Make an operation of a function for a node without an id of its own in EC2."""

    def run(ctx: OperationContext, /, **inputs: Any) -> Data:
        return function(Subject(**_common(ctx, inputs, "ec2")))

    return _marked(run, function)


def _marked(run: OperationFunction, function: Callable[..., Data]) -> OperationFunction:
    """Mark `run` as an operation that goes by the function's name and has its own signature."""
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(run, name, getattr(function, name))
    marked: OperationFunction = operation()(run)
    return marked


def _common(ctx: OperationContext, inputs: Mapping[str, Any], service: str) -> dict[str, Any]:
    """Take in the inputs that every operation of the Cloudify plugin has."""
    record = ctx.instance.runtime_properties
    record.update(inputs.get("runtime_properties") or {})
    if inputs.get("aws_resource_id"):
        record.setdefault("aws_resource_id", inputs["aws_resource_id"])
    account = account_of(ctx, ctx.node.properties.get("client_config") or {})
    return {"ctx": ctx, "api": connect(service, account), "config": configuration(ctx, inputs), "inputs": inputs}
