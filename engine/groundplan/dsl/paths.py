"""Steps into a value: the keys and indexes that follow a name in `get_property`, `get_input` and others."""

from groundplan.dsl.reader import describe
from groundplan.model.values import Call, Field, Map, Seq, Value


def missing(value: Value, step: Value) -> str:
    """Return why a literal step leads nowhere, in words that follow a name; an empty string when it leads somewhere."""
    if isinstance(value, Map):
        return "" if isinstance(step, str) and step in value.entries else f"has no {step}"
    if isinstance(value, Seq):
        if type(step) is not int:
            return f"is a list, expected an index, found {step}"
        return "" if -len(value.items) <= step < len(value.items) else f"has {len(value.items)} items"
    return f"is {describe(value)}, there is nothing inside it"


def inside(value: Value, step: Value) -> Value:
    """Return what a step that is not `missing` leads to."""
    if isinstance(value, Map) and isinstance(step, str):
        return value.entries[step].value
    assert isinstance(value, Seq), "the step was checked"
    assert isinstance(step, int), "the step was checked"
    return value.items[step].value


def walk(value: Value, steps: tuple[Field, ...]) -> Value:
    """Return what a path leads to; the call where one stands in the way; None where nothing is."""
    for step in steps:
        if isinstance(value, Call):
            return value
        if isinstance(step.value, Call) or missing(value, step.value):
            return None
        value = inside(value, step.value)
    return value
