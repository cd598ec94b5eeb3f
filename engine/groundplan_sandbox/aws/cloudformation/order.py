"""In which order the resources of a template are made: what one refers to comes first.

Pure. Taking down goes the other way round.
"""

import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

_SUBSTITUTED = re.compile(r"\$\{([A-Za-z0-9]+)[.}]")


class CircularError(Exception):
    """Resources refer to each other in a circle. `names`: those of the circle, in its order."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"Circular dependency between resources: [{', '.join(names)}]")


def creation_order(resources: Mapping[str, Any]) -> list[str]:
    """Logical ids of a template's `Resources`; each after all it depends on. Raises CircularError."""
    graph = {name: {each for each in _references(body) if each in resources} for name, body in resources.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise CircularError(list(dict.fromkeys(error.args[1]))) from error


def _references(body: Any) -> Iterator[str]:
    """Every name that Ref, Fn::GetAtt, Fn::Sub or DependsOn mentions."""
    if isinstance(body, list):
        for item in body:
            yield from _references(item)
    if not isinstance(body, Mapping):
        return
    for key, value in body.items():
        if key == "Ref" and isinstance(value, str):
            yield value
        elif key == "Fn::GetAtt":
            yield value.partition(".")[0] if isinstance(value, str) else str(value[0])
        elif key == "DependsOn":
            yield from [value] if isinstance(value, str) else value
        elif key == "Fn::Sub":
            yield from _SUBSTITUTED.findall(value if isinstance(value, str) else value[0])
        yield from _references(value)
