"""Whether a value keeps an author's constraints (spec 1.7), as far as that needs no look-up of other entities.

Constraints on objects (`filter_id`, `labels`, `tenants`, `name_pattern`, `deployment_id`) need one; `inputs` asks an
injected check for those.
"""

from collections.abc import Callable, Mapping
from typing import Final

from groundplan.model.patterns import matches
from groundplan.model.values import Data

OF_OBJECTS: Final = frozenset({"filter_id", "labels", "tenants", "name_pattern", "deployment_id"})
"""Operators whose truth lies in other entities."""

SIZED: Final = (str, list, dict)


def violation(operator: str, argument: Data, value: Data) -> str | None:
    """Return what a value should have been, for example `at most 5`; None when it is.

    A value of a kind that the operator cannot judge does not keep it.

    Args:
        operator: one that is not in `OF_OBJECTS`.
        argument: evaluated.
        value: holds no `Sensitive`.
    """
    holds, wanted = _RULES[operator]
    try:
        kept = holds(value, argument)
    except (TypeError, ValueError):
        kept = False
    return None if kept else wanted(argument)


def is_known(operator: str) -> bool:
    """Whether there is such an operator."""
    return operator in _RULES or operator in OF_OBJECTS


def _in_range(value: Data, bounds: Data) -> bool:
    low, high = bounds
    return bool(low <= _number(value) <= high)


def _number(value: Data) -> Data:
    """Refuse truth values, which Python takes for 0 and 1."""
    if isinstance(value, bool):
        raise TypeError
    return value


def _is_one_of(value: Data, allowed: Data) -> bool:
    return any(value == item and isinstance(value, bool) == isinstance(item, bool) for item in allowed)


def _matches(value: Data, pattern: Data) -> bool:
    return matches(pattern, value)


def _length(value: Data) -> int:
    if not isinstance(value, SIZED):
        raise TypeError
    return len(value)


Rule = tuple[Callable[[Data, Data], bool], Callable[[Data], str]]
"""Whether (value, argument) keeps it, and how the expectation is worded."""

_RULES: Final[Mapping[str, Rule]] = {
    "equal": (lambda value, wanted: _number(value) == wanted, lambda wanted: f"equal to {wanted}"),
    "greater_than": (lambda value, low: _number(value) > low, lambda low: f"greater than {low}"),
    "greater_or_equal": (lambda value, low: _number(value) >= low, lambda low: f"{low} or more"),
    "less_than": (lambda value, high: _number(value) < high, lambda high: f"less than {high}"),
    "less_or_equal": (lambda value, high: _number(value) <= high, lambda high: f"{high} or less"),
    "in_range": (_in_range, lambda bounds: f"from {bounds[0]} to {bounds[1]}"),
    "valid_values": (_is_one_of, lambda allowed: f"one of {', '.join(map(str, allowed))}"),
    "length": (lambda value, size: _length(value) == size, lambda size: f"of length {size}"),
    "min_length": (lambda value, size: _length(value) >= size, lambda size: f"of length {size} or more"),
    "max_length": (lambda value, size: _length(value) <= size, lambda size: f"of length {size} or less"),
    "pattern": (_matches, lambda pattern: f"text that begins like the pattern {pattern}"),
}
