"""Compares what the author configured with what AWS tells, field by field, as far as the two can be compared.

A field that AWS does not tell (a password), or tells in another form (ids where names were given), is not drift.
"""

import json
from collections.abc import Mapping
from typing import Any

from groundplan.model.values import Data


def differences(wanted: Mapping[str, Any], actual: Mapping[str, Any]) -> Data:
    """Return `{field: {"expected": ..., "actual": ...}}` for the fields that differ."""
    return {
        name: {"expected": value, "actual": actual[name]}
        for name, value in wanted.items()
        if name in actual and value != "" and not _agrees(value, actual[name])
    }


def _agrees(wanted: Any, actual: Any) -> bool:
    if isinstance(wanted, Mapping) or isinstance(actual, Mapping):
        return _mapping_agrees(_read(wanted), _read(actual))
    if isinstance(wanted, list) and isinstance(actual, list):
        return _list_agrees(wanted, actual)
    if isinstance(wanted, list) or isinstance(actual, list) or actual is None:
        return True
    return str(wanted) == str(actual)


def _mapping_agrees(wanted: Any, actual: Any) -> bool:
    if not isinstance(wanted, Mapping) or not isinstance(actual, Mapping):
        return True
    return all(_agrees(value, actual[name]) for name, value in wanted.items() if name in actual)


def _list_agrees(wanted: list[Any], actual: list[Any]) -> bool:
    """Lists of texts and numbers are sets to AWS; others are compared item by item."""
    if not any(isinstance(item, Mapping | list) for item in [*wanted, *actual]):
        return sorted(map(str, wanted)) == sorted(map(str, actual))
    if not all(isinstance(item, Mapping) for item in [*wanted, *actual]):
        return True
    return len(wanted) == len(actual) and all(map(_agrees, wanted, actual))


def _read(value: Any) -> Any:
    """A document in JSON text as data."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
