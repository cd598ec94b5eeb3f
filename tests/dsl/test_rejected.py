"""Wrong blueprints, each with the guilty lines marked `# ERROR: Summary`, and what a terminal shows for each.

`GROUNDPLAN_GOLDENS=write` writes the renderings anew; look at the difference before keeping it.
"""

import os
import re
from pathlib import Path

import pytest

from groundplan.diagnostics.render import render
from groundplan.diagnostics.report import Report
from groundplan.dsl.compile import compile as compile_blueprint
from groundplan.dsl.folder import DiskFolder, SourceFile

from .writing import SHELF

FOLDER = Path(__file__).parent.parent / "corpus" / "rejected"
CASES = sorted(FOLDER.glob("*.yaml"))
_MARK = re.compile(r"# ERROR: (.*)$")


def rejected(case: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    monkeypatch.chdir(FOLDER)
    report = Report()
    found = compile_blueprint(SourceFile(DiskFolder(Path()), case.name), SHELF, report)
    assert found is None
    return report


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_each_guilty_line_is_named_and_no_other(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marked = {
        (number, found[1])
        for number, line in enumerate(case.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if (found := _MARK.search(line))
    }
    report = rejected(case, monkeypatch)
    spans = [(report.sources.span(error.at), error.fault.summary) for error in report.errors]
    here = {(span.line, summary) for span, summary in spans if span is not None and span.file == case.name}
    assert here == marked
    assert marked or len(here) < len(spans), "the fault lies in an imported file"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_the_rendering_stays_as_it_was_read(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = case.with_suffix(".txt")
    rendering = render(rejected(case, monkeypatch))
    if os.environ.get("GROUNDPLAN_GOLDENS") == "write":
        golden.write_text(rendering, encoding="utf-8")
    assert rendering == golden.read_text(encoding="utf-8")
