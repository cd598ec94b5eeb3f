"""What the engine must know of a part: something that is put into a resource of AWS, and has no id of its own.

Nouns only. Parts have neither tags nor states; a part is known by what it was put in with. Resources are `resource`'s.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from groundplan_aws.resource import Completion, Gift, Path, Property, Step, dig

Parameters = Mapping[str, Any]

PREPARE_PART: Final = Step(operation="precreate", path="prepare", function="lifecycle:prepare")
CREATE_PART: Final = Step(operation="create", path="create", function="parts:create")
DELETE_PART: Final = Step(operation="delete", path="delete", function="parts:delete")
PART_LIFECYCLE: Final = (PREPARE_PART, CREATE_PART, DELETE_PART)


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """How AWS is asked whether a part is there.

    Attributes:
        method: of the client.
        by: its parameters, from those that the part was put in with.
        read: takes the items out of the answer.
        wanted: what items must hold, one for each thing put in.
    """

    method: str
    by: Callable[[Parameters], dict[str, Any]]
    read: Callable[[Any], list[Any]]
    wanted: Callable[[Parameters], list[dict[str, Any]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A kind of part with the calls that put it in and take it out.

    Attributes:
        node_type: full name of the node type; types derived from it share the row.
        label: for people.
        service: boto3's name of the service.
        create: method that puts it in.
        delete: method that takes it out; empty when nothing does.
        undo: parameters of `delete`, from those of `create`.
        known_by: where the parameters of `create` hold what becomes `aws_resource_id`.
        absent: words, besides those of all services, by which it says that there is nothing to take out.
        look: how AWS is asked for it; None where it does not tell.
        gifts: parameters from related nodes.
        complete: finishes the parameters after the gifts.
        path, config, fields, steps, properties: as `Resource` has them.
    """

    node_type: str
    label: str
    create: str
    delete: str
    undo: Callable[[Parameters], dict[str, Any]]
    known_by: Path
    service: str = "ec2"
    absent: tuple[str, ...] = ()
    look: Look | None = None
    gifts: tuple[Gift, ...] = ()
    complete: Completion | None = None
    path: str
    config: str = ""
    fields: tuple[str, ...] = ()
    steps: tuple[Step, ...] = PART_LIFECYCLE
    properties: tuple[Property, ...] = ()


def only(*names: str) -> Callable[[Parameters], dict[str, Any]]:
    """Return a function that keeps some parameters."""
    return lambda parameters: {name: parameters[name] for name in names if name in parameters}


def each(path: Path, *names: str) -> Callable[[Any], list[Any]]:
    """Return a function that takes what stands at a path, and of it the named fields (all unless some are named)."""

    def take(data: Any) -> list[Any]:
        found = dig(data, path)
        return [{name: item[name] for name in names if name in item} for item in found] if names else found

    return take
