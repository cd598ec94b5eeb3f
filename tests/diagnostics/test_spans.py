"""One integer names a place; file, line and columns are worked out when a person asks."""

import pytest

from groundplan.diagnostics.span import Sources, Span


def test_each_source_has_its_own_stretch_of_offsets() -> None:
    sources = Sources()
    first = sources.add("one", "ab\ncd")
    second = sources.add("two", "ef")
    assert sources.span(first + 3) == Span(file="one", line=2, column=1, end_column=3)
    assert sources.span(second) == Span(file="two", line=1, column=1, end_column=3)


def test_a_source_at_a_fixed_place_keeps_it_beside_others() -> None:
    sources = Sources()
    sources.add("shared", "xyz", base=1 << 40)
    later = sources.add("mine", "abc")
    assert sources.add("shared", "xyz", base=1 << 40) == 1 << 40
    assert [span.file for at in (later, (1 << 40) + 1) if (span := sources.span(at))] == ["mine", "shared"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x85", "\u2028", "\u2029"])
def test_lines_end_as_in_yaml(end: str) -> None:
    sources = Sources()
    sources.add("text", f"ab{end}cd")
    span = sources.span(2 + len(end))
    assert span is not None
    assert (span.line, span.column) == (2, 1)


def test_a_position_that_no_text_holds_has_no_span() -> None:
    assert Sources().span(0) is None
    sources = Sources()
    sources.add("text", "ab")
    assert sources.span(-1) is None


def test_a_position_past_the_end_is_the_end() -> None:
    sources = Sources()
    sources.add("text", "ab")
    assert sources.span(99) == Span(file="text", line=1, column=3, end_column=4)


def test_a_hidden_text_has_a_name_and_no_span() -> None:
    sources = Sources()
    at = sources.add("secret token", None)
    source = sources.source(at)
    assert source is not None
    assert source.name == "secret token"
    assert sources.span(at) is None
