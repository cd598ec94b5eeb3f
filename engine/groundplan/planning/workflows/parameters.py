"""Reads parameters of the built-in workflows: what has the wrong type is told with its name."""

import json
from collections.abc import Mapping
from contextlib import suppress

from groundplan.model.values import Data, reveal
from groundplan.planning.faults import PlanningError


def flag(parameters: Mapping[str, Data], name: str, *, default: bool) -> bool:
    """Return a parameter that is true or false; the default when it is absent or null.

    Raises:
        PlanningError: `parameter-type`.
    """
    value = reveal(parameters.get(name))
    if value is None:
        return default
    if isinstance(value, bool):
        return value
    raise _wrong(name, value, "true or false")


def whole_number(parameters: Mapping[str, Data], name: str, *, default: int) -> int:
    """Return a parameter that is a whole number or text that reads as one.

    Raises:
        PlanningError: `parameter-type`.
    """
    value = reveal(parameters.get(name))
    if value is None:
        return default
    try:
        if isinstance(value, int | str) and not isinstance(value, bool):
            return int(value)
    except ValueError:
        pass
    raise _wrong(name, value, "a whole number")


def text(parameters: Mapping[str, Data], name: str) -> str:
    """Return a parameter as text; empty when it is absent or null."""
    value = reveal(parameters.get(name))
    return "" if value is None else str(value)


def names(parameters: Mapping[str, Data], name: str) -> tuple[str, ...]:
    """Return a parameter that is a list of texts, or one text: names with commas between them, in brackets or not.

    None when it is absent or null. Command lines hand over text where a workflow declares no type.

    Raises:
        PlanningError: `parameter-type`.
    """
    value = reveal(parameters.get(name))
    if value is None:
        return ()
    if isinstance(value, str):
        value = _listed(value)
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise _wrong(name, value, "a list of names")


def _listed(value: str) -> Data:
    if value.startswith("["):
        with suppress(ValueError):
            return json.loads(value)
        if '"' in value or not value.endswith("]"):
            return value
        value = value[1:-1]
    return [part.strip() for part in value.split(",")]


def _wrong(name: str, value: Data, expected: str) -> PlanningError:
    return PlanningError("parameter-type", f"Parameter {name!r} is {value!r}; {expected} is expected.", path=name)
