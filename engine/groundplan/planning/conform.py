"""Whether data is of a primitive or object type (spec 1.6). Data types and constraints are `inputs`' work."""

import re
from typing import Final

from groundplan.model.types import OBJECT_TYPES
from groundplan.model.values import Data

EXPECTED: Final = {
    "string": "a string",
    "textarea": "a string",
    "integer": "a whole number",
    "float": "a number",
    "boolean": "true or false",
    "list": "a list",
    "dict": "a mapping",
    "regex": "a regular expression",
}
"""How people are told what a type accepts."""

ANYTHING: Final = OBJECT_TYPES | {"string", "textarea"}
"""Types that the check lets pass whatever stands there, numbers and mappings included (spec 1.6)."""


def conforms(type_name: str, data: Data) -> bool:
    """Whether `data`, holding no `Sensitive`, is accepted for a primitive or object type."""
    if type_name in ANYTHING:
        return True
    if type_name == "integer":
        return isinstance(data, int) and not isinstance(data, bool)
    if type_name == "float":
        return isinstance(data, int | float) and not isinstance(data, bool)
    if type_name == "boolean":
        return isinstance(data, bool)
    if type_name == "list":
        return isinstance(data, list)
    if type_name == "dict":
        return isinstance(data, dict)
    return type_name == "regex" and isinstance(data, str) and _compiles(data)


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, RecursionError):
        return False
    return True


def kind(data: Data) -> str:
    """Return what people call the kind of some data: `string`, `integer`, `mapping`..."""
    if data is None:
        return "null"
    if isinstance(data, bool):
        return "boolean"
    return _KINDS.get(type(data), type(data).__name__)


_KINDS: Final[dict[type, str]] = {int: "integer", float: "float", str: "string", list: "list", dict: "mapping"}
