"""Blueprints that are accepted: the plan of each, and its warnings, marked `# WARNING: Summary`, with their rendering.

`GROUNDPLAN_GOLDENS=write` writes plans and renderings anew; look at the difference before keeping it.
"""

import json
import os
import re
from pathlib import Path

import pytest

from groundplan.diagnostics.render import render
from groundplan.diagnostics.report import Report
from groundplan.dsl.compile import compile as compile_blueprint
from groundplan.dsl.folder import DiskFolder, SourceFile
from groundplan.model.blueprint import Blueprint, from_plan, to_plan

from .writing import SHELF

FOLDER = Path(__file__).parent.parent / "corpus" / "accepted"
CASES = sorted(FOLDER.glob("*.yaml"))
_MARK = re.compile(r"# WARNING: (.*)$")


def accepted(case: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Blueprint, Report]:
    monkeypatch.chdir(FOLDER)
    report = Report()
    found = compile_blueprint(SourceFile(DiskFolder(Path()), case.name), SHELF, report)
    assert found is not None, render(report)
    return found, report


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_the_plan_is_the_golden_one(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = case.with_suffix(".json")
    plan = to_plan(accepted(case, monkeypatch)[0])
    if os.environ.get("GROUNDPLAN_GOLDENS") == "write":
        golden.write_text(json.dumps(plan, indent=1) + "\n", encoding="utf-8")
    assert plan == json.loads(golden.read_text(encoding="utf-8"))
    assert to_plan(from_plan(plan)) == plan


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_each_warned_line_is_named_and_no_other(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marked = {
        (number, found[1])
        for number, line in enumerate(case.read_text(encoding="utf-8").splitlines(), 1)
        if (found := _MARK.search(line))
    }
    report = accepted(case, monkeypatch)[1]
    spans = [(report.sources.span(each.at), each.fault.summary) for each in report.diagnostics]
    assert {(span.line, summary) for span, summary in spans if span is not None} == marked


@pytest.mark.parametrize(
    "case", [each for each in CASES if each.stem.startswith("warning-")], ids=lambda case: case.stem
)
def test_the_warnings_stay_as_they_were_read(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = case.with_suffix(".txt")
    rendering = render(accepted(case, monkeypatch)[1])
    if os.environ.get("GROUNDPLAN_GOLDENS") == "write":
        golden.write_text(rendering, encoding="utf-8")
    assert rendering == golden.read_text(encoding="utf-8")
