"""Inputs of deployments and parameters of workflows: choice, types, constraints, data types (spec 1.6-1.8)."""

from collections.abc import Mapping, Sequence

import pytest

from groundplan.model.types import Constraint, DataType, Schema
from groundplan.model.values import Data, Sensitive, from_data
from groundplan.planning.evaluation import EvaluationFault
from groundplan.planning.inputs import Resolved, Untyped, resolve_inputs


def text(**schema: object) -> Schema:
    return Schema(type="string", **schema)  # type: ignore[arg-type]


def constrained(type_name: str | None, **rules: Data) -> Schema:
    return Schema(
        type=type_name,
        constraints=tuple(Constraint(operator=name, argument=from_data(value)) for name, value in rules.items()),
    )


def resolve(schema: Schema, *values: Data, types: Mapping[str, DataType] | None = None, **options: object) -> Resolved:
    """Resolve the one input `x`, supplied when a value is given."""
    return resolve_inputs({"x": schema}, types or {}, {"x": values[0]} if values else {}, **options)  # type: ignore[arg-type]


def codes(resolved: Resolved) -> list[tuple[str, tuple[str | int, ...]]]:
    return [(fault.code, fault.path) for fault in resolved.faults]


DISK = DataType(
    name="disk",
    properties={
        "size": Schema(type="integer", has_default=True, default=10),
        "label": text(),
        "kind": text(required=False),
    },
)
MACHINE = DataType(name="machine", properties={"disk": Schema(type="disk"), "cpus": Schema(type="integer")})
TYPES = {"disk": DISK, "machine": MACHINE}


def test_a_supplied_value_beats_the_default() -> None:
    assert resolve(text(has_default=True, default="a"), "b").values == {"x": "b"}


def test_an_explicit_null_is_a_value() -> None:
    assert resolve(text(has_default=True, default="a"), None).values == {"x": None}


def test_a_default_that_is_a_function_is_kept_as_written() -> None:
    function = {"get_secret": "key"}
    assert resolve(Schema(type="integer", has_default=True, default=from_data(function))).values == {"x": function}


def test_a_null_default_is_none() -> None:
    assert codes(resolve(text(has_default=True, default=None))) == [("missing-input", ("x",))]


def test_an_optional_input_without_value_is_null() -> None:
    assert resolve(Schema(type="integer", required=False)).values == {"x": None}


def test_all_missing_and_unknown_inputs_are_told_at_once() -> None:
    resolved = resolve_inputs({"env_type": text(), "region": text()}, {}, {"env_typ": "dev", "zone": "a"})
    assert codes(resolved) == [
        ("missing-input", ("env_type",)),
        ("missing-input", ("region",)),
        ("unknown-input", ("env_typ",)),
        ("unknown-input", ("zone",)),
    ]
    assert resolved.faults[2].fix == "did you mean 'env_type'?"


def test_a_missing_input_is_told_with_what_is_allowed() -> None:
    rule = Constraint(operator="valid_values", argument=from_data(["dev", "prod"]))
    schema = Schema(type="string", description="The environment.\n", constraints=(rule,))
    assert resolve(schema).faults[0].message == "Input 'x' (The environment) has no value; one of dev, prod is needed."
    assert resolve(Schema(type="integer")).faults[0].message == "Input 'x' has no value; a whole number is needed."


def test_custom_parameters_are_kept_where_they_are_allowed() -> None:
    assert resolve_inputs({}, {}, {"mine": 1}, allow_unknown=True).values == {"mine": 1}


@pytest.mark.parametrize(
    ("type_name", "accepted", "refused"),
    [
        ("integer", [0, -3], [True, 1.0, "1", None]),
        ("float", [1, 2.5], [True, "1"]),
        ("boolean", [True, False], ["true", 0]),
        ("list", [[], [1]], ["a", {}]),
        ("dict", [{}, {"a": 1}], [[], "a"]),
        ("regex", ["^a+$"], ["(", 1]),
        ("string", ["a", 1, {"a": 1}], []),
        (None, ["a", 1, None, {}], []),
    ],
)
def test_types(type_name: str | None, accepted: Sequence[Data], refused: Sequence[Data]) -> None:
    schema = Schema(type=type_name)
    assert [value for value in accepted if resolve(schema, value).faults] == []
    assert [value for value in refused if not resolve(schema, value).faults] == []


def test_any_function_is_accepted_for_any_type() -> None:
    assert resolve(Schema(type="integer"), {"get_secret": "n"}).faults == ()


@pytest.mark.parametrize(
    ("rule", "kept", "broken"),
    [
        ({"equal": 3}, 3, 4),
        ({"greater_than": 3}, 4, 3),
        ({"greater_or_equal": 3}, 3, 2),
        ({"less_than": 3}, 2, 3),
        ({"less_or_equal": 3}, 3, 4),
        ({"in_range": [1, 5]}, 5, 6),
        ({"valid_values": ["a", 1]}, "a", "b"),
        ({"valid_values": [1]}, 1, True),
        ({"greater_than": 0}, 1, True),
        ({"length": 2}, [1, 2], "abc"),
        ({"min_length": 2}, "ab", "a"),
        ({"max_length": 1}, {}, {"a": 1, "b": 2}),
        ({"max_length": 5}, "a", 7),
        ({"greater_than": 3}, 4.5, "9"),
        ({"pattern": "ab+"}, "abbcd", "cab"),
    ],
)
def test_constraints(rule: dict[str, Data], kept: Data, broken: Data) -> None:
    assert resolve(constrained(None, **rule), kept).faults == ()
    assert codes(resolve(constrained(None, **rule), broken)) == [("input-constraint", ("x",))]


def test_all_constraints_must_be_kept() -> None:
    assert len(resolve(constrained("integer", greater_than=3, less_than=1), 2).faults) == 2


def test_a_value_near_an_allowed_one_is_suggested() -> None:
    fault = resolve(constrained("string", valid_values=["dev-small", "dev-large"]), "dev-smal").faults[0]
    assert fault.fix == "did you mean 'dev-small'?"
    assert "one of dev-small, dev-large" in fault.message


def test_the_authors_own_words_are_used() -> None:
    rule = Constraint(operator="min_length", argument=8, error_message="use eight letters")
    assert "use eight letters" in resolve(Schema(type="string", constraints=(rule,)), "a").faults[0].message


def test_a_sensitive_value_is_checked_and_not_shown() -> None:
    faults = resolve(constrained("string", min_length=20), Sensitive("hunter2")).faults
    assert codes(resolve(constrained("string", min_length=20), Sensitive("hunter2"))) == [("input-constraint", ("x",))]
    assert "hunter2" not in str(faults)


def test_a_function_cannot_be_given_where_constraints_are() -> None:
    assert codes(resolve(constrained("string", min_length=1), {"get_secret": "a"})) == [("input-function", ("x",))]


def test_arguments_of_constraints_may_be_functions() -> None:
    schema = constrained("string", valid_values={"get_secret": "zones"})
    assert codes(resolve(schema, "b", evaluate=lambda _: ["a"])) == [("input-constraint", ("x",))]
    assert resolve(schema, "a", evaluate=lambda _: ["a"]).faults == ()
    assert codes(resolve(schema, "a")) == [("input-function", ("x",))]


def test_an_argument_that_cannot_be_evaluated_is_told() -> None:
    def fails(_: object) -> Data:
        raise EvaluationFault("There is no secret 'zones'.")

    faults = resolve(constrained("string", valid_values={"get_secret": "zones"}), "a", evaluate=fails).faults
    assert "There is no secret 'zones'." in faults[0].message


def test_items_of_a_list_are_checked_one_by_one() -> None:
    rule = Constraint(operator="max_length", argument=2)
    schema = Schema(type="list", item_type="string", constraints=(rule,))
    assert resolve(schema, ["ab", "c", "d", "e"]).faults == ()
    assert codes(resolve(schema, ["ab", "abc"])) == [("input-constraint", ("x", 1))]
    assert codes(resolve(Schema(type="list", item_type="integer"), [1, "2"])) == [("input-type", ("x", 1))]


def test_object_types_are_judged_by_the_given_check() -> None:
    asked: list[tuple[str, Data, Data]] = []

    def exists(type_name: str, value: Data, rules: Sequence[Constraint]) -> str | None:
        asked.append((type_name, value, [(rule.operator, rule.argument) for rule in rules]))
        return None if value == "db" else "There is no deployment 'dbb'."

    schema = constrained("deployment_id", tenants=["a"])
    assert resolve(schema, "db", exists=exists).faults == ()
    assert codes(resolve(schema, "dbb", exists=exists)) == [("input-object", ("x",))]
    assert asked[0] == ("deployment_id", "db", [("tenants", ["a"])])


def test_a_value_of_a_data_type_is_completed() -> None:
    value = {"disk": {"label": "root"}, "cpus": 2}
    completed = {"disk": {"label": "root", "size": 10}, "cpus": 2}
    assert resolve(Schema(type="machine"), value, types=TYPES).values == {"x": completed}


def test_faults_inside_a_data_type_name_the_whole_path() -> None:
    value = {"disk": {"lable": "root", "size": "big"}, "cpus": {"get_secret": "n"}}
    assert sorted(codes(resolve(Schema(type="machine"), value, types=TYPES))) == [
        ("input-field-missing", ("x", "disk", "label")),
        ("input-field-unknown", ("x", "disk", "lable")),
        ("input-type", ("x", "disk", "size")),
    ]


def test_defaults_of_a_data_type_serve_when_they_are_complete() -> None:
    port = DataType(
        name="port", properties={"number": Schema(has_default=True, default=80), "tls": text(required=False)}
    )
    assert resolve(Schema(type="port"), types={"port": port}).values == {"x": {"number": 80}}
    assert codes(resolve(Schema(type="disk"), types=TYPES)) == [("missing-input", ("x",))]


def test_an_optional_structure_with_mandatory_fields_may_be_left_out() -> None:
    holder = DataType(name="holder", properties={"disk": Schema(type="disk", required=False)})
    resolved = resolve(Schema(type="holder"), {}, types={**TYPES, "holder": holder})
    assert (resolved.values, resolved.faults) == ({"x": {}}, ())


@pytest.mark.parametrize(
    ("type_name", "written", "meant"),
    [("integer", "5", 5), ("float", "2.5", 2.5), ("boolean", "true", True), ("boolean", "false", False)],
)
def test_strings_are_converted_when_asked_for(type_name: str, written: str, meant: Data) -> None:
    assert resolve(Schema(type=type_name), written, convert=True).values == {"x": meant}
    assert codes(resolve(Schema(type=type_name), written)) == [("input-type", ("x",))]


@pytest.mark.parametrize(("type_name", "written"), [("boolean", "True"), ("boolean", "yes"), ("integer", "5.0")])
def test_other_strings_are_not(type_name: str, written: str) -> None:
    assert codes(resolve(Schema(type=type_name), written, convert=True)) == [("input-type", ("x",))]


def test_people_are_told_what_they_call_it() -> None:
    fault = resolve_inputs({"operation": text()}, {}, {}, noun="parameter").faults[0]
    assert fault.message.startswith("Parameter 'operation'")


def test_text_without_a_type_becomes_what_is_declared() -> None:
    schemas = {"count": Schema(type="integer"), "on": Schema(type="boolean"), "name": Schema(type="string")}
    supplied = {"count": Untyped("3"), "on": Untyped("true"), "name": Untyped("5")}
    assert resolve_inputs(schemas, {}, supplied).values == {"count": 3, "on": True, "name": "5"}


@pytest.mark.parametrize(
    ("type_name", "written", "words"),
    [("list", "a, b", "for example [a, b]"), ("dict", "a=b", "for example {key: value}")],
)
def test_text_where_a_collection_is_declared_is_told_the_form(type_name: str, written: str, words: str) -> None:
    [fault] = resolve(Schema(type=type_name), Untyped(written)).faults
    assert words in fault.fix
