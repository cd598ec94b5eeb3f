"""What the engine must know of a kind of AWS resource: one row of the table in `catalogue`.

Nouns only. What boto3's service models tell (types of parameters, client tokens, tags, waiters) is asked of them; the
manifest and the reference page are written from the same rows (docs/reference/write_aws.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

NODES: Final = "cloudify.nodes.aws."
EC2_NODES: Final = f"{NODES}ec2."

POLLED: Final = "polled"
"""In the place of a waiter's name: botocore has none, so the resource is looked at until its state is right."""

Path = tuple[str, ...]
"""Keys into an answer of AWS; a list met on the way is entered item by item."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gift:
    """A parameter of the create call that a related node gives when the author did not.

    Attributes:
        parameter: `VpcId`; a parameter of type list takes all related nodes, another the first.
        node_type: full name of the giving node's type.
        recorded: the giver's runtime property.
        unless: parameters whose presence makes this one wrong.
    """

    parameter: str
    node_type: str
    recorded: str = "aws_resource_id"
    unless: tuple[str, ...] = ()


class Completion(Protocol):
    """Finishes the create call's parameters where rows cannot say how."""

    def __call__(self, parameters: dict[str, Any], related: "Related", /) -> None:
        """Change `parameters` in place."""


class Related(Protocol):
    """What a completion may read of the node and its neighbours."""

    @property
    def instance_id(self) -> str: ...

    def values(self, node_type: str, recorded: str) -> list[Any]:
        """Return a runtime property of all neighbours of a type, in their relationships' order, without blanks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TagCall:
    """A call by which the tags of one resource are read, or put on it after it was made.

    Attributes:
        method: of the client.
        parameter: parameter that takes the resource.
        told: where the description has the value for it.
        at: where the answer holds the tags, or, in a call that puts them, the parameter that takes them.
        fixed: further parameters.
    """

    method: str
    parameter: str
    told: Path
    at: Path = ("Tags",)
    fixed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Clearing:
    """What must be taken off a resource of ours before AWS deletes it.

    Attributes:
        listing: method that tells what is there; asked with what the describe call is asked with.
        at: where its answer has the values.
        call: method that takes one off.
        parameter: its parameter for a value.
    """

    listing: str
    at: Path
    call: str
    parameter: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """An operation of a node type: its name in the lifecycle interface, its path, and the function of ours behind it.

    Attributes:
        path: last part of the Cloudify plugin's operation path (`create`), or a whole path of ours.
        function: `MODULE:FUNCTION` in this package.
        interface: of the operation, when that is not the lifecycle.
    """

    operation: str
    path: str
    function: str
    interface: str = ""


PREPARE: Final = Step(operation="precreate", path="prepare", function="lifecycle:prepare")
CREATE: Final = Step(operation="create", path="create", function="lifecycle:create")
DELETE: Final = Step(operation="delete", path="delete", function="lifecycle:delete")
LIFECYCLE: Final = (PREPARE, CREATE, DELETE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Property:
    """A property that the node type has besides those of all types."""

    name: str
    type: str
    default: Any
    description: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """A kind of resource with the calls that make, find and remove it.

    Attributes:
        node_type: full name of the node type; types derived from it share the row.
        label: for people.
        service: boto3's name of the service.
        create, describe, delete, modify: methods of the client; `modify` is empty when there is none.
        made: where the create call's answer holds the resource; empty for the answer itself.
        listed: where the describe call's answer holds the resource or the resources; empty for the answer itself.
        id_field: field of the resource with its id. An answer without it is given the id that was asked for.
        ids: parameter of the describe call that takes an id or ids; empty when the call lists everything.
        shown_id: field that becomes `aws_resource_id` when it is not the id: the resource is then known by its ARN.
        arn: where the description holds the ARN.
        name: where the create call's parameters hold the name, for kinds that the author names.
        names: parameter of the describe call that takes a name, when that is not the id.
        scope: parameters of the create call that belong to the identity (`clusterName` of a node group).
        describe_with, delete_with: fixed parameters of these calls.
        within: parameters of the create call that narrow the listing, and are no part of the identity.
        listing, listing_at: method that lists the kind when the describe call cannot, and where its answer has items.
        listing_with: its fixed parameters.
        same: parameters that no two resources of the kind share, in listed items by the same names.
        marks: parameter of the create call, told by the description, that carries this instance's mark.
        delete_field: field of the resource that the delete call wants; the id unless said otherwise.
        delete_parameter: parameter of the delete call; `delete_field` unless said otherwise.
        clears: what is taken off before deletion.
        puts: the create call replaces or returns what is there, so that a taken name must be seen before.
        tagged_as: resource type in the create call's `TagSpecifications`; other calls take tags by themselves.
        tag_reading: how tags are read when the description does not tell them.
        tag_writing: how tags are put on after creation when the create call takes none.
        state: where its state stands; empty when it has none.
        healthy: states in which it does its work; empty for any.
        gone: states in which it no longer counts.
        failed: states from which it never comes to work.
        reason: where it says why it failed.
        ready, removed: botocore's waiters after creation and deletion, `POLLED`, or empty for no wait.
        told_once: fields that only the create call's answer has; `create_response` keeps those it was given.
        later: fields of the configuration that belong to other calls than the create call.
        gifts: parameters from related nodes.
        defaults: parameters that hold unless given.
        path: of its operations in the Cloudify plugin (`iam.resources.role`); empty for types written by hand.
        config: data type of `resource_config`; named after the node type unless said otherwise.
        fields: fields of `resource_config` that are declared by name; all others go into its `kwargs`.
        steps: its operations besides those that every kind has.
        properties: properties of its type besides those that every type has.
    """

    node_type: str
    label: str
    create: str
    describe: str
    delete: str
    id_field: str
    ids: str
    listed: Path = ()
    service: str = "ec2"
    modify: str = ""
    made: Path = ()
    shown_id: str = ""
    arn: Path = ()
    name: Path = ()
    names: str = ""
    scope: tuple[str, ...] = ()
    describe_with: Mapping[str, Any] = field(default_factory=dict)
    delete_with: Mapping[str, Any] = field(default_factory=dict)
    within: tuple[str, ...] = ()
    listing: str = ""
    listing_at: Path = ()
    listing_with: Mapping[str, Any] = field(default_factory=dict)
    same: tuple[str, ...] = ()
    marks: str = ""
    delete_field: str = ""
    delete_parameter: str = ""
    clears: tuple[Clearing, ...] = ()
    puts: bool = False
    tagged_as: str = ""
    tag_reading: TagCall | None = None
    tag_writing: TagCall | None = None
    state: Path = ()
    healthy: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()
    reason: Path = ()
    ready: str = ""
    removed: str = ""
    told_once: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    gifts: tuple[Gift, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    complete: Completion | None = None
    path: str = ""
    config: str = ""
    fields: tuple[str, ...] = ()
    steps: tuple[Step, ...] = LIFECYCLE
    properties: tuple[Property, ...] = ()


def dig(data: Any, path: Path) -> list[Any]:
    """Return everything that stands at a path, lists opened: `dig(answer, ("Reservations", "Instances"))`."""
    found = [data]
    for key in path:
        opened = [item[key] for item in found if isinstance(item, Mapping) and item.get(key) is not None]
        found = [inner for item in opened for inner in (item if isinstance(item, list) else [item])]
    return found


def first(data: Any, path: Path) -> Any:
    """Return the first thing at a path, or None."""
    return next(iter(dig(data, path)), None)
