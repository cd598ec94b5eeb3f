"""Builds the parameters of a create call: the row's defaults, the author's, and what related nodes give for the rest.

It asks nothing of AWS but the service's model, so that an identity (name, scope) is computed whenever it is needed.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from groundplan_aws.resource import Gift, Path, first
from groundplan_aws.target import Subject, Target


class Giving(Protocol):
    """A row of either table, as far as gifts go."""

    @property
    def create(self) -> str: ...
    @property
    def gifts(self) -> tuple[Gift, ...]: ...


def build(target: Target) -> dict[str, Any]:
    """Return the parameters without tags and token. An empty text counts as not given."""
    row = target.resource
    given = {name: value for name, value in target.config.items() if name not in row.later and value != ""}
    parameters = {**row.defaults, **given}
    if row.complete is not None:
        row.complete(parameters, target)
    give(target, row, parameters)
    if row.name:
        _put(parameters, row.name, _name(target, parameters))
    return target.api.written(row.create, parameters)


def give(subject: Subject, row: Giving, parameters: dict[str, Any]) -> None:
    """Put in what related nodes give for what the author did not."""
    for gift in row.gifts:
        values = subject.values(gift.node_type, gift.recorded)
        if values and not parameters.get(gift.parameter) and not any(name in parameters for name in gift.unless):
            wants_list = subject.api.parameters(row.create).get(gift.parameter) == "list"
            parameters[gift.parameter] = values if wants_list else values[0]


def name(target: Target) -> str:
    """Return the name by which the author knows a resource of a kind that has names."""
    return str(first(build(target), target.resource.name))


def _name(target: Target, parameters: Mapping[str, Any]) -> str:
    """The configuration's name, else `resource_id`, else the node instance's id."""
    named = first(parameters, target.resource.name) or target.ctx.node.properties.get("resource_id")
    return str(named or target.instance_id)


def _put(parameters: dict[str, Any], path: Path, value: str) -> None:
    place = parameters
    for key in path[:-1]:
        place[key] = dict(place.get(key) or {})
        place = place[key]
    place[path[-1]] = value
