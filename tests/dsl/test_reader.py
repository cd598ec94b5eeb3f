"""YAML to positioned values: YAML 1.1's rules, places, and texts that mean harm."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from groundplan.diagnostics.report import Report
from groundplan.dsl.reader import MAX_DEPTH, read, read_data
from groundplan.model.values import Call, Map, Seq

from .writing import codes


def value_of(text: str | bytes) -> object:
    report = Report()
    data = read_data(text, "text", report)
    assert codes(report) == []
    return data


def faults_of(text: str | bytes) -> list[str]:
    report = Report()
    read_data(text, "text", report)
    return codes(report)


@pytest.mark.parametrize(
    "text",
    [
        "a: [1, 0o7, 010, 0x1F, 0b11, 1_000, +3, -4, 190:20:30]",
        "a: [1.5, 1e3, 1.0e+3, -.5, 6.8523015e+5, 190:20:30.15]",
        "a: [yes, No, ON, off, True, false, y, n]",
        "a: [null, ~, Null, '', \"~\"]",
        "a: 'it''s'\nb: \"tab\\t\"\nc: |\n  one\n  two\nd: >-\n  three\n  four\n",
        "a: !!str 5\nb: !!int '5'\nc: !!float 5\nd: ! 5\n",
        "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: {<<: [{a: 9}, *x]}\n",
        "'<<': plain\n",
        "a: 80\n'80': b\n'': c\n'yes': yes\n",
        "? a\n: b\n",
        "- - - a\n    - b\n",
    ],
)
def test_values_are_those_of_the_safe_loader(text: str) -> None:
    assert value_of(text) == yaml.load(text, yaml.CSafeLoader)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text("ab é:#-"),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("xyz", min_size=1), inner, max_size=4),
        max_leaves=20,
    )
)
def test_what_yaml_writes_is_read_back(data: object) -> None:
    assert value_of(yaml.safe_dump(data, allow_unicode=True)) == data


def test_dates_stay_text() -> None:
    assert value_of("a: 2026-11-21") == {"a": "2026-11-21"}


def test_a_byte_order_mark_and_utf_16_are_read() -> None:
    assert value_of("a: é".encode("utf-8-sig")) == {"a": "é"}
    assert value_of("a: é".encode("utf-16")) == {"a": "é"}
    assert value_of("\ufeffa: é") == {"a": "é"}


@pytest.mark.parametrize(
    ("text", "line", "column"), [("a:\r\n  b: 1", 2, 3), ("a:\u2028  b: 1", 2, 3), ("'🎈': 1", 1, 1)]
)
def test_places_are_counted_in_characters_and_yamls_lines(text: str, line: int, column: int) -> None:
    report = Report()
    document = read(text, "text", report)
    assert document is not None
    root = document.root
    assert isinstance(root, Map)
    field = next(iter(root.entries.values()))
    inner = field.value.entries["b"] if isinstance(field.value, Map) else field
    span = report.sources.span(inner.key_at)
    assert span is not None
    assert (span.line, span.column) == (line, column)


def test_a_function_is_a_call_with_the_place_of_its_name_and_argument() -> None:
    report = Report()
    document = read("a: {get_input: port, type: integer}", "text", report)
    assert document is not None
    assert isinstance(document.root, Map)
    call = document.root.get("a")
    assert call == Call("get_input", "port", 4, "integer", 15)


def test_other_mappings_with_a_functions_name_are_data() -> None:
    assert value_of("{get_input: a, other: b}") == {"get_input": "a", "other": "b"}


def test_collections_know_whether_calls_stand_inside() -> None:
    document = read("a: &a [{b: 1}]\nc: [{d: &d {get_input: x}}]\ne: [*a]\nf: [*d]\n", "text", Report())
    assert document is not None
    assert isinstance(document.root, Map)
    held = {key: value.may_hold_calls for key, value in document.root.items() if isinstance(value, Seq)}
    assert held == {"a": False, "c": True, "e": False, "f": True}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[" * 30_000, "yaml-limit"),
        ("{a: " * 30_000, "yaml-limit"),
        ("- " * 30_000 + "a", "yaml-limit"),
        ("&a [*a]", "yaml-alias"),
        ("a: !!binary aGk=", "yaml-tag"),
        ("a: !!set {b}", "yaml-tag"),
        ("a: !!int five", "yaml-value"),
        ("a: " + "9" * 5000, "yaml-value"),
        ("a: \x00", "yaml-syntax"),
        ("a: 'b", "yaml-syntax"),
        ("%YAML 3.0\n---\na: b", "yaml-syntax"),
        (b"a: \xff", "yaml-encoding"),
        ("{[a]: b}", "yaml-key"),
        ("{1: a, true: b, ~: c}", "yaml-key"),
    ],
)
def test_what_cannot_be_read_is_a_fault(text: str | bytes, fault: str) -> None:
    assert {code.partition("@")[0] for code in faults_of(text)} == {fault}


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert [code.partition("@")[0] for code in faults_of("\n".join(lines))] == ["yaml-limit"]


def test_aliases_count_towards_the_depth() -> None:
    lines = ["a0: &a0 [x]", *[f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, MAX_DEPTH + 1)]]
    assert [code.partition("@")[0] for code in faults_of("\n".join(lines))] == ["yaml-limit"]


def test_a_key_written_twice_keeps_the_last_and_is_told() -> None:
    report = Report()
    assert read_data("{a: 1, a: 2}", "text", report) == {"a": 2}
    assert codes(report) == ["yaml-duplicate@1:8"]
