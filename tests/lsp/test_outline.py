"""Where a cursor stands in a text that is being typed: `|` marks it."""

import pytest

from groundplan.lsp.outline import CallAt, Cursor, cursor_at


def at(text: str) -> Cursor:
    lines = text.strip("\n").splitlines()
    row = next(number for number, line in enumerate(lines) if "|" in line)
    column = lines[row].index("|")
    lines[row] = lines[row].replace("|", "", 1)
    return cursor_at(lines, row, column)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a:\n  b:\n    |", ("a", "b")),
        ("a:\n  b:\n  |", ("a",)),
        ("a:\n  b:\n|", ()),
        ("a:\n  b: x\n  c: |", ("a", "c")),
        ("'a b':\n  c: |", ("a b", "c")),
        ("a:\n  - b: 1\n    |", ("a", "-1")),
        ("a:\n  - b: 1\n  - |", ("a", "-2")),
        ("a:\n- b: 1\n- c: |", ("a", "-2", "c")),
        ("a:\n  b: >-\n    c:\n      d\n  |", ("a",)),
        ("a: # b:\n  # c:\n  |", ("a",)),
    ],
)
def test_the_path_is_read_off_the_indentation(text: str, path: tuple[str, ...]) -> None:
    assert at(text).path == path


@pytest.mark.parametrize(
    ("line", "call", "typed"),
    [
        ("{ get_input: na|", CallAt("get_input", ()), "na"),
        ("{ get_attribute: [a, |", CallAt("get_attribute", ("a",)), ""),
        ("{ get_attribute: [{ get_input: a }, { get_input: b }, c|", CallAt("get_attribute", ("?", "?")), "c"),
        ("{ concat: [x, { get_secret: [s, |", CallAt("get_secret", ("s",)), ""),
        ("{ other: [x, |", None, "{ other: [x, "),
    ],
)
def test_functions_are_seen_while_they_are_written(line: str, call: CallAt | None, typed: str) -> None:
    found = at(f"a: {line}")
    assert (found.call, found.typed) == (call, typed)


def test_functions_in_block_style_are_seen_too() -> None:
    assert at("a:\n  get_attribute:\n    - node\n    - |").call == CallAt("get_attribute", ("node",))
    assert at("a:\n  get_input: |").call == CallAt("get_input", ())


def test_keys_above_and_below_are_taken() -> None:
    assert at("a:\n  b: 1\n  |\n  c:\n    d: 2\ne: 3").taken == {"b", "c"}


def test_a_function_may_begin_behind_a_brace() -> None:
    found = at("a: { ge|")
    assert (found.starts_flow, found.typed) == (True, "ge")
