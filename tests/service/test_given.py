"""What callers write in a command line becomes what a blueprint declares (spec 8.1)."""

import pytest

from groundplan.model.types import DataType, Schema
from groundplan.model.values import Data
from groundplan.planning.inputs import resolve_inputs
from groundplan.service.given import read_given

POINT = DataType(name="point", properties={"x": Schema(type="integer")})


def given(type_name: str, *texts: str) -> Data:
    """The value of the input `it` of a type; a text where it is refused."""
    resolved = resolve_inputs({"it": Schema(type=type_name)}, {"point": POINT}, read_given(texts))
    return " ".join(fault.message for fault in resolved.faults) or resolved.values["it"]


@pytest.mark.parametrize(
    ("type_name", "text", "value"),
    [
        ("list", "it=[1, two]", [1, "two"]),
        ("list", 'it=["1"]', ["1"]),
        ("dict", "it={a: {b: [c]}}", {"a": {"b": ["c"]}}),
        ("point", "it={x: 3}", {"x": 3}),
        ("string", "it=[1, 2]", "[1, 2]"),
        ("list", "it: [1]", [1]),
        ("list", '{"it": [1]}', [1]),
        ("list", "it={a: 1}", "Input 'it' is '{a: 1}'; a list is expected."),
        ("list", "it=[1, 2", "Input 'it' is '[1, 2'; a list is expected."),
        ("point", "it={x: y}", "Input 'it.x' is 'y'; a whole number is expected."),
    ],
)
def test_a_pair_becomes_the_list_or_mapping_that_is_declared(type_name: str, text: str, value: Data) -> None:
    assert given(type_name, text) == value
