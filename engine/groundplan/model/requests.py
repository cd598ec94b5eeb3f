"""What a custom workflow may ask for (spec 7.5): each request has a number, and is answered by what came of its tasks.

Nouns, read straight from what the workflow's process sends: names and sizes are limited here. Which tasks a request
means is said by `planning.workflows.requested`; `runtime.dialogue` carries requests and answers.
"""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct, field

from groundplan.model.graph import Side
from groundplan.model.values import Data

Number = Annotated[str, Meta(max_length=40, pattern=r"^[0-9]+(/[0-9]+)*$")]
"""A request's number; one that repeats another adds to it: `17/1`."""
Name = Annotated[str, Meta(max_length=300, pattern=r"^[^\x00]*$")]
Text = Annotated[str, Meta(max_length=65536)]


class Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every request has; the `name` of each says what it asks for.

    That is in words which must be the same when the workflow is run again.

    Attributes:
        after: numbers of the requests that it waited for, for the picture of the graph.
    """

    number: Number
    after: Annotated[tuple[Number, ...], Meta(max_length=10_000)] = ()


class OperationRequest(Request, frozen=True, kw_only=True, tag="operation", forbid_unknown_fields=True):
    """Run an operation of an instance, or with `relationship` (its place in the instance's list) of one end of it.

    Attributes:
        allow_override: whether an argument may replace an input that the blueprint defines.
        handled: the workflow judges a failure itself, so it is not tried again unasked.
    """

    instance: Name
    operation: Name
    relationship: Annotated[int, Meta(ge=0)] | None = None
    side: Side = Side.SOURCE
    arguments: dict[str, Data] = field(default_factory=dict)
    allow_override: bool = False
    handled: bool = False

    @property
    def name(self) -> str:
        end = "" if self.relationship is None else f" {self.side} of relationship {self.relationship}"
        return f"operation {self.operation} of {self.instance}{end}"


class StateRequest(Request, frozen=True, kw_only=True, tag="state", forbid_unknown_fields=True):
    """Set the state of an instance."""

    instance: Name
    state: Name

    @property
    def name(self) -> str:
        return f"state {self.state} of {self.instance}"


class LocalRequest(Request, frozen=True, kw_only=True, tag="local", forbid_unknown_fields=True):
    """Run a function in the workflow's own process when it is told to, and keep what it returns."""

    function: Name
    handled: bool = False

    @property
    def name(self) -> str:
        return f"function {self.function}"


class LifecycleRequest(Request, frozen=True, kw_only=True, tag="lifecycle", forbid_unknown_fields=True):
    """Install or uninstall instances as the built-in workflows do."""

    workflow: Annotated[str, Meta(pattern=r"^(un)?install$")]
    instances: Annotated[tuple[Name, ...], Meta(max_length=1_000_000)]
    ignore_failure: bool = False

    @property
    def name(self) -> str:
        shown = ", ".join(self.instances[:3]) + (", ..." if len(self.instances) > 3 else "")
        return f"{self.workflow} {len(self.instances)} instances: {shown}"


class ReadRequest(Request, frozen=True, kw_only=True, tag="read", forbid_unknown_fields=True):
    """Show the node instances as they are: all of them, or one."""

    instance: Name = ""

    @property
    def name(self) -> str:
        return f"read {self.instance or 'instances'}"


class UpdateRequest(Request, frozen=True, kw_only=True, tag="update", forbid_unknown_fields=True):
    """Put other runtime properties in the place of an instance's."""

    instance: Name
    runtime_properties: dict[str, Data]

    @property
    def name(self) -> str:
        return f"update {self.instance}"


class Count(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many instances a node or scaling group is to have, and which of them go first or stay."""

    instances: Annotated[int, Meta(ge=0, le=1_000_000)]
    removed_ids_include_hint: Annotated[tuple[Name, ...], Meta(max_length=100_000)] = ()
    removed_ids_exclude_hint: Annotated[tuple[Name, ...], Meta(max_length=100_000)] = ()


class ModifyRequest(Request, frozen=True, kw_only=True, tag="modify", forbid_unknown_fields=True):
    """Begin a change of counts."""

    counts: Annotated[dict[Name, Count], Meta(min_length=1, max_length=1000)]

    @property
    def name(self) -> str:
        wanted = (f"{name} to {count.instances}" for name, count in sorted(self.counts.items())[:3])
        return f"modify {', '.join(wanted)}"


class ModifiedRequest(Request, frozen=True, kw_only=True, tag="modified", forbid_unknown_fields=True):
    """Finish the change of counts that this execution began, or take it back."""

    finish: bool

    @property
    def name(self) -> str:
        return "finish the modification" if self.finish else "take the modification back"


class ModificationsRequest(Request, frozen=True, kw_only=True, tag="modifications", forbid_unknown_fields=True):
    """Show the changes of counts that are under way."""

    @property
    def name(self) -> str:
        return "list modifications"


AnyRequest: TypeAlias = (
    OperationRequest
    | StateRequest
    | LocalRequest
    | LifecycleRequest
    | ReadRequest
    | UpdateRequest
    | ModifyRequest
    | ModifiedRequest
    | ModificationsRequest
)
