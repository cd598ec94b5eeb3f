"""Data that looks like a function stays data wherever it travels (spec 7.4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.model.values import Call, Data, Map, from_data, quote, quote_marks, to_data
from groundplan.planning.evaluate import Scope, evaluate, evaluate_data
from groundplan.planning.handing_on import hand_on

from .builders import blueprint, node
from .world import World

KEYS = st.sampled_from(["a", "get_secret", "get_input", "type", "$function", "$literal", "concat"])
DATA = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=8,
)
NOWHERE = Scope.of_outputs("outputs.o")


@given(data=DATA)
def test_quoted_data_is_read_back_as_it_was(data: Data) -> None:
    assert evaluate(from_data(quote(data)), NOWHERE, World()) == data


@given(data=DATA)
def test_quoted_data_survives_being_stored_as_a_value(data: Data) -> None:
    assert to_data(from_data(quote(data))) == quote(data)


@given(data=DATA)
def test_nothing_in_quoted_runtime_properties_is_the_engines_function(data: Data) -> None:
    assert evaluate_data(quote_marks(data), NOWHERE, World()) == data


@pytest.mark.parametrize("data", [{"get_secret": "s"}, {"a": [1, {"concat": []}]}, [], "text", None])
def test_runtime_properties_without_marks_need_no_quotes(data: Data) -> None:
    assert quote_marks(data) == data


def test_an_authors_function_is_still_one() -> None:
    assert isinstance(from_data({"get_secret": "s"}), Call)
    assert isinstance(from_data({"$literal": {"get_secret": "s"}}), Map)


def test_a_path_leads_through_quotes() -> None:
    stored = quote_marks({"note": {"$function": {"get_secret": "s"}}})
    world = World.installed(blueprint(node("db")), {"db": stored}, secrets={"s": "x"})
    assert world({"get_attribute": ["db", "note"]}) == {"$function": {"get_secret": "s"}}
    assert world({"get_attribute": ["db", "note", "$function", "get_secret"]}) == "s"


def test_what_a_script_wrote_reaches_a_child_as_data() -> None:
    world = World.installed(blueprint(node("db")), {"db": {"note": {"get_secret": "s"}}}, secrets={"s": "x"})
    written = {"mine": {"get_secret": "s"}, "theirs": {"get_attribute": ["db", "note"]}}
    handed = hand_on(from_data(written), NOWHERE, world)
    assert handed["mine"] == {"get_secret": "s"}
    assert evaluate(from_data(handed["theirs"]), NOWHERE, world) == {"get_secret": "s"}
