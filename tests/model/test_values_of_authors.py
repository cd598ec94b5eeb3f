"""Values between text, data and the store: what an author wrote comes back, and data never turns into a function."""

from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.model.values import (
    FUNCTIONS,
    Sensitive,
    calls,
    conceal,
    from_data,
    function_name,
    is_sensitive_name,
    quote,
    quote_marks,
    reveal,
    sensitive_texts,
    to_data,
)

KEYS = st.sampled_from([*sorted(FUNCTIONS), "$function", "$literal", "$sensitive", "type", "plain"]) | st.text(
    max_size=3
)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(DATA)
def test_what_was_read_is_written_the_same(data: object) -> None:
    assert from_data(to_data(from_data(data))) == from_data(data)


@given(DATA)
def test_quoted_data_is_read_as_the_same_data_and_no_function(data: object) -> None:
    value = from_data(quote(data))
    assert from_data(to_data(value)) == value
    assert list(calls(value)) == []


@given(DATA)
def test_quoting_leaves_no_mark_of_the_engine_bare(data: object) -> None:
    assert "$function" not in _bare_marks(quote_marks(data))


@given(DATA)
def test_nothing_is_lost_by_revealing_what_is_not_hidden(data: object) -> None:
    assert reveal(data) == data == conceal(data)


def test_what_is_sensitive_is_shown_as_dots_and_revealed_whole() -> None:
    data = {"a": [Sensitive({"b": "secret"}), "plain"]}
    assert conceal(data) == {"a": ["******", "plain"]}
    assert reveal(data) == {"a": [{"b": "secret"}, "plain"]}


def test_a_sensitive_value_does_not_show_in_its_repr() -> None:
    assert "secret" not in repr(Sensitive("secret"))


def test_every_text_and_number_inside_a_sensitive_value_counts() -> None:
    data = {"open": "x", "in": Sensitive({"a": ["text", 12345678, True, None, Sensitive("deep")]})}
    assert list(sensitive_texts(data)) == ["text", "12345678", "deep"]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"get_input": "a"}, "get_input"),
        ({"get_input": "a", "type": "string"}, "get_input"),
        ({"get_input": "a", "other": 1}, None),
        ({"get_secret": "a", "type": "string"}, None),
        ({"get_nothing": "a"}, None),
        ({}, None),
    ],
)
def test_a_function_is_told_by_its_shape(data: dict[str, object], name: str | None) -> None:
    assert function_name(data) == name


@pytest.mark.parametrize(("name", "expected"), [("db-Password", True), ("AWS_SECRET", True), ("keyboard", False)])
def test_a_name_says_whether_its_value_is_sensitive(name: str, expected: bool) -> None:
    assert is_sensitive_name(name) is expected


def _bare_marks(data: object) -> set[str]:
    if isinstance(data, list):
        return set().union(*map(_bare_marks, data)) if data else set()
    if not isinstance(data, dict):
        return set()
    if len(data) == 1 and isinstance(data.get("$literal"), dict):
        return set().union(*map(_bare_marks, data["$literal"].values())) if data["$literal"] else set()
    marks = {"$function"} if len(data) == 1 and "$function" in data else set()
    return marks.union(*map(_bare_marks, data.values()))


def test_marks_are_quoted_in_every_kind_of_collection() -> None:
    forged = {"$function": {"get_secret": "x"}}
    assert quote_marks(({"a": (forged,)},)) == [{"a": [{"$literal": forged}]}]
    assert quote_marks(MappingProxyType(forged)) == {"$literal": forged}
