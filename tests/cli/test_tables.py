"""Tables and records, on terminals of several widths and in pipes."""

import re
from collections.abc import Callable

import pytest

from groundplan.cli.options import print_record
from groundplan.cli.views import table

COLUMNS = ("id", "dry run", "deployment", "created", "scheduled for", "why")
ROWS = (
    ("a07db0b5565b", False, "aws-dev-small-network", "2026-12-01T04:38:08.980Z", None, "waits for what another began"),
    ("c7039f02cea5", True, "shop", "2026-12-01T04:38:09.165Z", None, "failed"),
)

Show = Callable[..., str]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Show:
    """Return what a table looks like on a terminal so wide."""

    def on_a_terminal(width: int) -> str:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", str(width))
        table.show(COLUMNS, ROWS)
        text = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
        assert max(map(len, text.splitlines())) <= width
        return text

    return on_a_terminal


@pytest.mark.parametrize("width", [45, 60, 80, 100, 140])
def test_no_name_is_broken_in_pieces(show: Show, width: int) -> None:
    found = show(width)
    assert "a07db0b5565b" in found
    assert "aws-dev-small-network" in found or "No room for: deployment" in found


def test_what_is_empty_goes_first_then_what_stands_on_the_right_but_no_prose(show: Show) -> None:
    assert "No room for" not in show(100)
    assert "No room for: scheduled for. A wider" in show(99)
    found = show(80)
    assert "No room for: created, scheduled for." in found
    assert "began" in found
    assert "No room for: dry run, deployment, created, scheduled" in " ".join(show(36).split())


def test_a_pipe_has_all_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    table.show(COLUMNS, ROWS)
    first = capsys.readouterr().out.splitlines()[1]
    assert first.split() == ["id", "dry", "run", "deployment", "created", "scheduled", "for", "why"]


def test_a_record_has_its_values_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    print_record({"id": "shop", "planned_number_of_instances": 9, "labels": {}})
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "id:                          shop",
        "planned_number_of_instances: 9",
        "labels:                      -",
    ]
