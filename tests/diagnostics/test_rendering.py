"""What a person reads on a terminal, and the same as data."""

from textwrap import dedent

from groundplan.diagnostics.diagnostic import Fault, Place, Severity
from groundplan.diagnostics.render import count, render, to_json
from groundplan.diagnostics.report import Report
from groundplan.diagnostics.suggest import suggest

TYPE = Fault(code="property-type", summary="Wrong property type", explanation="")
ODD = Fault(code="odd", summary="Odd", explanation="", severity=Severity.WARNING)

SHOP = """\
node_types:
  server:
    properties:
      port:
        type: integer
node_templates:
  db:
    type: server
    #
    properties:
      port: eighty
"""


def report_on(text: str, name: str = "shop.yaml") -> tuple[Report, int]:
    report = Report()
    return report, report.sources.add(name, text)


def test_carets_stand_under_both_places() -> None:
    report, base = report_on(SHOP)
    report.tell(
        TYPE,
        base + SHOP.index("eighty"),
        "expected integer, found string",
        path="node_templates.db.properties.port",
        places=(Place(at=base + SHOP.index("integer"), label="declared integer here"),),
        fix="write a whole number.",
    )
    assert render(report) == dedent("""\
        error: Wrong property type  [property-type]
          --> shop.yaml:11:13
           |
        10 |     properties:
        11 |       port: eighty
           |             ^^^^^^ expected integer, found string
          ::: shop.yaml:5:15
         5 |         type: integer
           |               ------- declared integer here
           |
           = in node_templates.db.properties.port
           = fix: write a whole number.
        """)


def test_a_value_of_the_command_line_is_a_text_too() -> None:
    report, base = report_on("port=eighty", "--input")
    report.tell(TYPE, base + 5, "expected integer")
    assert render(report).splitlines()[1:5] == [
        " --> --input:1:6",
        "  |",
        "1 | port=eighty",
        "  |      ^^^^^^ expected integer",
    ]


def test_a_hidden_text_is_named_and_not_shown() -> None:
    report = Report()
    report.tell(TYPE, report.sources.add("secret token", None), "expected integer")
    assert render(report) == ("error: Wrong property type  [property-type]\n --> secret token\n  = expected integer\n")


def test_tabs_before_the_place_stay_tabs() -> None:
    report, base = report_on("\tport")
    report.tell(TYPE, base + 1, "here")
    assert "  | \t^^^^ here" in render(report).splitlines()


def test_errors_come_first_and_a_terminal_shows_twenty() -> None:
    report, base = report_on("x" * 40)
    report.tell(ODD, base, "first in the text")
    for at in range(1, 23):
        report.tell(TYPE, base + at, "wrong")
    text = render(report)
    assert text.startswith("error:")
    assert text.count("[property-type]") == 20
    assert text.endswith("... and 3 more; --json shows them all.\n")
    assert count(report) == "22 errors, 1 warning"
    assert len(to_json(report)) == 23


def test_the_same_fault_told_twice_counts_once() -> None:
    report, base = report_on("x")
    report.tell(TYPE, base, "wrong")
    report.tell(TYPE, base, "wrong")
    assert count(report) == "1 error"


def test_silenced_faults_are_dropped_for_a_while() -> None:
    report, base = report_on("x")
    with report.silenced([TYPE]):
        report.tell(TYPE, base, "unheard")
    report.tell(TYPE, base, "heard")
    assert [found.label for found in report.diagnostics] == ["heard"]


def test_json_has_places_lines_and_words() -> None:
    report, base = report_on("a\nbc d")
    report.tell(TYPE, base + 2, "wrong", path="p", suggestion="b", places=(Place(at=base, label="there"),))
    assert to_json(report) == [
        {
            "severity": "error",
            "code": "property-type",
            "summary": "Wrong property type",
            "file": "shop.yaml",
            "line": 2,
            "column": 1,
            "end_column": 5,
            "label": "wrong",
            "path": "p",
            "places": [{"file": "shop.yaml", "line": 1, "column": 1, "end_column": 2, "label": "there"}],
            "detail": "",
            "fix": "",
            "suggestion": "b",
        }
    ]


def test_the_nearest_name_is_suggested_if_it_is_near() -> None:
    assert suggest("databse", ["web", "database", "data"]) == "database"
    assert suggest("Port", ["port"]) == "port"
    assert suggest("nothing", ["web", "database"]) == ""


def test_of_a_long_line_the_guilty_part_is_shown() -> None:
    report, base = report_on(f"{'a' * 500} wrong {'b' * 500}")
    report.tell(TYPE, base + 501, "here")
    line, carets = render(report).splitlines()[3:5]
    assert len(line) < 140
    assert line[carets.index("^") :].startswith("wrong")


def test_among_many_names_one_slip_is_forgiven() -> None:
    known = {f"node_{number}" for number in range(1000)} | {"database"}
    assert suggest("databse", known) == "database"
    assert suggest("dtaabase", known) == "database"
    assert suggest("elsewhere", known) == ""


def test_carets_stand_right_under_wide_and_combining_characters() -> None:
    report, base = report_on("名e\u0301: 値")
    report.tell(TYPE, base + 5, "here")
    assert render(report).splitlines()[4] == "  |      ^^ here"


def test_what_a_terminal_would_obey_is_not_sent_to_it() -> None:
    report, base = report_on("a: \x1b[31mred", "na\x1bme")
    report.tell(TYPE, base, "found \x1b[2J", path="a\x07", detail="\x1b]0;title")
    text = render(report)
    assert not {character for character in text if ord(character) < 32} - {"\n"}
    assert "found \\x1b[2J" in text
