"""Dotted paths into properties, as shell scripts write them: `a.b[0].c` (spec 7.4).

Pure: reads from and writes into plain data. `commands` says which data a script may reach.
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import Final

from groundplan.model.values import Data

_STEP: Final = re.compile(r"(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]")

Step = str | int


class PathError(ValueError):
    """The path cannot be read, or leads nowhere."""


def parse(path: str) -> tuple[Step, ...]:
    """Split `a.b[0].c` into ("a", "b", 0, "c").

    Raises:
        PathError: it is empty or not of that form.
    """
    steps: list[Step] = []
    at = 0
    while at < len(path):
        if path[at] == "." and steps:
            at += 1
        found = _STEP.match(path, at)
        if found is None:
            raise PathError(f"illegal path: {path}")
        steps.append(found["name"] if found["index"] is None else int(found["index"]))
        at = found.end()
        if at < len(path) and path[at] not in ".[":
            raise PathError(f"illegal path: {path}")
    if not steps or path.endswith("."):
        raise PathError(f"illegal path: {path}")
    return tuple(steps)


def read(data: Data, path: str) -> Data:
    """Return what stands at `path`.

    Raises:
        PathError: nothing stands there.
    """
    for step in parse(path):
        data = _step(data, step, path)
    return data


def write(data: Data, path: str, value: Data) -> None:
    """Put `value` at `path`, making the mappings on the way that are not there.

    Raises:
        PathError: something on the way is not a mapping or a list that long.
    """
    *way, last = parse(path)
    for step in way:
        if isinstance(data, MutableMapping) and isinstance(step, str):
            data.setdefault(step, {})
        data = _step(data, step, path)
    in_mapping = isinstance(data, MutableMapping) and isinstance(last, str)
    if not in_mapping and not (isinstance(data, list) and isinstance(last, int) and last < len(data)):
        raise PathError(f"illegal path: {path}")
    data[last] = value


def _step(data: Data, step: Step, path: str) -> Data:
    if isinstance(data, Mapping) and step in data:
        return data[step]
    if isinstance(data, list) and isinstance(step, int) and step < len(data):
        return data[step]
    raise PathError(f"illegal path: {path}")
