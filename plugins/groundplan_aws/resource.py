"""What the engine must know of a kind of AWS resource: one row of the table in `catalogue`.

Nouns only. What boto3's service models tell (types of parameters, client tokens, waiters) is asked of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

EC2_NODES: Final = "cloudify.nodes.aws.ec2."

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
class Resource:
    """A kind of resource with the calls that make, find and remove it.

    Attributes:
        node_type: full name of the node type; types derived from it share the row.
        label: for people.
        service: boto3's name of the service.
        create, describe, delete, modify: methods of the client; `modify` is empty when there is none.
        made: where the create call's answer holds the resource; empty for the answer itself.
        listed: where the describe call's answer holds the resources.
        id_field: field of the resource with its id.
        ids: parameter of the describe call that takes ids.
        delete_field: field of the resource that the delete call wants; the id unless said otherwise.
        delete_parameter: parameter of the delete call; `delete_field` unless said otherwise.
        tagged_as: resource type in the create call's `TagSpecifications`.
        state: where its state stands; empty when it has none.
        healthy: states in which it does its work; empty for any.
        gone: states in which it no longer counts.
        reason: where it says why it failed.
        ready, removed: botocore's waiters after creation and deletion, empty for none.
        told_once: fields that only the create call's answer has; `create_response` keeps those it was given.
        later: fields of the configuration that belong to other calls than the create call.
        gifts: parameters from related nodes.
        defaults: parameters that hold unless given.
    """

    node_type: str
    label: str
    create: str
    describe: str
    delete: str
    listed: Path
    id_field: str
    ids: str
    service: str = "ec2"
    modify: str = ""
    made: Path = ()
    delete_field: str = ""
    delete_parameter: str = ""
    tagged_as: str = ""
    state: Path = ()
    healthy: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    reason: Path = ()
    ready: str = ""
    removed: str = ""
    told_once: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    gifts: tuple[Gift, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    complete: Completion | None = None


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
