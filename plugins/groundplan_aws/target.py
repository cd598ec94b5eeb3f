"""What one operation works on: the node instance with its row, its merged configuration and its client.

It reads and looks up; what is done to AWS is written in `lifecycle` and in the module of each special resource.
"""

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, TypeVar

from groundplan.model.values import Data
from groundplan.sdk.context import Neighbour, NodeView, OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.operation import OperationFunction, operation
from groundplan_aws.catalogue import resource_of
from groundplan_aws.client import Account, Api, account_of, connect
from groundplan_aws.failures import RefusedError
from groundplan_aws.newer import older_of, properties_of
from groundplan_aws.resource import Resource, dig, first


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A node instance with a client: what operations without a row (rules, routes) work on.

    Attributes:
        config: `resource_config` with its `kwargs`, or the operation's input of that name if it gave one.
        external: the author brought the resource; nothing may change it unless `forced`.
    """

    ctx: OperationContext
    account: Account
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
    """A node instance that stands for one AWS resource with an id.

    Attributes:
        scope: values of the row's `scope` and `within`, from the configuration or from related nodes.
    """

    resource: Resource
    scope: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str | None:
        """The recorded id, or the one an external resource was given.

        A kind that is known by its ARN (`shown_id`) has that for its id.
        """
        found = self.record.get("aws_resource_arn" if self.resource.shown_id else "aws_resource_id")
        if not found and self.external:
            found = self.ctx.node.properties.get("resource_id")
        return str(found) if found else None

    def describe(self, identifier: str) -> dict[str, Any] | None:
        """Return the resource as AWS describes it, in whatever state, or None when there is none."""
        row = self.resource
        if not row.ids:
            return next((found for found in self.listed() if str(found.get(row.id_field)) == identifier), None)
        return self.look(row.ids, identifier)

    def look(self, parameter: str, value: str) -> dict[str, Any] | None:
        """Return what the describe call tells of an id or name, or None."""
        row = self.resource
        shaped = self.as_parameter(row.describe, parameter, value)
        try:
            answer = self.api.call(
                row.describe, **row.describe_with, **self.scoped(row.describe), **{parameter: shaped}
            )
        except RefusedError as error:
            if error.refusal.absent:
                return None
            raise
        found = first(answer, row.listed)
        if found is None:
            return None
        return found if row.id_field in found else {**found, row.id_field: value}

    def listed(self) -> Iterator[dict[str, Any]]:
        """Return all resources of the kind that AWS lists in this scope; a bare id becomes a description."""
        row = self.resource
        method, place, fixed = row.describe, row.listed, row.describe_with
        if row.listing:
            method, place, fixed = row.listing, row.listing_at, row.listing_with
        narrow = {name: self.scope[name] for name in row.within if name in self.scope}
        for answer in self.api.pages(method, **fixed, **self.scoped(method), **narrow):
            for found in dig(answer, place):
                yield found if isinstance(found, dict) else {row.id_field: found}

    def locator(self, identifier: str) -> dict[str, Any]:
        """Return the parameters by which the describe call, its waiters and the calls beside it know the resource."""
        row = self.resource
        return {**row.describe_with, **self.scoped(row.describe), row.ids: self.shaped(identifier)}

    def shaped(self, identifier: str) -> Any:
        """Return an id as the describe call takes it: in a list, if the service's model says so."""
        return self.as_parameter(self.resource.describe, self.resource.ids, identifier)

    def scoped(self, method: str) -> dict[str, Any]:
        """Return the parameters of the identity beside the id, as far as a method has them."""
        known = self.api.parameters(method)
        return {name: self.scope[name] for name in self.resource.scope if name in known and name in self.scope}

    def as_parameter(self, method: str, parameter: str, value: Any) -> Any:
        """Return a value as a parameter takes it: a list wherever the service's model wants one."""
        wants_list = self.api.parameters(method).get(parameter) == "list"
        return [value] if wants_list and not isinstance(value, list) else value

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


PREPARED: Final = "prepared_config"
"""Runtime property with the input `resource_config` of the operation `prepare`."""

_S = TypeVar("_S", bound=Subject)


def merged(config: Any) -> dict[str, Any]:
    """Return a `resource_config` as one level: its `kwargs` win over fields of the same name; nothings are left out."""
    written = dict(config or {})
    written |= written.pop("kwargs", None) or {}
    return {key: value for key, value in written.items() if value is not None}


def configuration(ctx: OperationContext, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the operation's input `resource_config`, else what `prepare` was given as its own, else the property."""
    given = (inputs.get("resource_config"), ctx.instance.runtime_properties.get(PREPARED))
    return next(
        (found for found in map(merged, given) if found), merged(properties_of(ctx.node).get("resource_config"))
    )


def plain(description: Any) -> Data:
    """Return an answer of AWS as JSON data; times become ISO 8601 texts."""
    if isinstance(description, Mapping):
        return {str(key): plain(value) for key, value in description.items()}
    if isinstance(description, list):
        return [plain(value) for value in description]
    if isinstance(description, datetime):
        return description.isoformat()
    if isinstance(description, bytes):
        return description.decode("utf-8", "replace")
    return description


def on_target(function: Callable[[Target], Data]) -> OperationFunction:
    """Make an operation of a function that works on a target."""

    def run(ctx: OperationContext, /, **inputs: Any) -> Data:
        resource = resource_of(ctx.node)
        return function(_scoped(Target(resource=resource, **_common(ctx, inputs, resource.service))))

    return _marked(run, function)


def on(
    kind: Callable[..., _S], field_: str, row_of: Callable[[NodeView], Any]
) -> Callable[[Callable[[_S], Data]], OperationFunction]:
    """Return a decorator for functions that work on a subject of another kind, whose field holds the node's row."""

    def decorate(function: Callable[[_S], Data]) -> OperationFunction:
        def run(ctx: OperationContext, /, **inputs: Any) -> Data:
            row = row_of(ctx.node)
            return function(kind(**{field_: row}, **_common(ctx, inputs, row.service)))

        return _marked(run, function)

    return decorate


def on_subject(function: Callable[[Subject], Data]) -> OperationFunction:
    """Make an operation of a function for a node without an id of its own in EC2."""

    def run(ctx: OperationContext, /, **inputs: Any) -> Data:
        return function(Subject(**_common(ctx, inputs, "ec2")))

    return _marked(run, function)


def _scoped(target: Target) -> Target:
    """Complete a target by the scope of its identity."""
    row = target.resource
    types = {gift.parameter: gift for gift in row.gifts}
    found: dict[str, Any] = {}
    for name in (*row.scope, *row.within):
        gift = types.get(name)
        value = target.config.get(name)
        if not value and gift is not None:
            value = next(iter(target.values(gift.node_type, gift.recorded)), None)
        if value := value or (target.record.get("scope") or {}).get(name):
            found[name] = value
    return replace(target, scope=found)


def _marked(run: OperationFunction, function: Callable[..., Data]) -> OperationFunction:
    """Mark `run` as an operation that goes by the function's name and has its own signature."""
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(run, name, getattr(function, name))
    marked: OperationFunction = operation()(run)
    return marked


def _common(ctx: OperationContext, inputs: Mapping[str, Any], service: str) -> dict[str, Any]:
    """Take in the inputs that every operation of the Cloudify plugin has.

    Raises:
        NonRecoverableError: the author gave `args`, which the older plugin handed to boto 2.
    """
    if inputs.get("args") and older_of(ctx.node) is not None:
        raise NonRecoverableError("args are not done: write them under resource_config, in boto3's words")
    record = ctx.instance.runtime_properties
    record.update(inputs.get("runtime_properties") or {})
    if inputs.get("aws_resource_id"):
        record.setdefault("aws_resource_id", inputs["aws_resource_id"])
    account = account_of(ctx, properties_of(ctx.node).get("client_config") or {})
    return {
        "ctx": ctx,
        "account": account,
        "api": connect(service, account),
        "config": configuration(ctx, inputs),
        "inputs": inputs,
    }
