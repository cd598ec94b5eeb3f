"""The parser against recorded cases of the Cloudify DSL and a published example, kept beside the project.

Skipped where they are absent, unless `GROUNDPLAN_CORPUS=required`. The cases that do not hold are listed with the
reason; a case that starts to hold must leave the list.
"""

import json
import os
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Final

import pytest

from groundplan.diagnostics.render import render
from groundplan.diagnostics.report import Report
from groundplan.dsl.compile import compile as compile_blueprint
from groundplan.dsl.folder import SourceFile
from groundplan.dsl.imports import NoFetch
from groundplan.model.blueprint import to_plan

from .installed import Installed

CORPUS: Final = Path(__file__).parents[3] / "shared" / "corpus"
CASES: Final = sorted(CORPUS.glob("cloudify-parser/*/*/expect.json"))
EXAMPLES: Final = sorted(CORPUS.glob("eaas-example/**/*.yaml"))

DIFFERENT: Final = {
    "data_types/nested_required_false-57f171": "fields of an optional value that is not there are not missed",
    "groups/group_with_some_random_connections-c2af3b": "members were recorded in the order of a hash table",
    "parser_api/relative_file_uri_import-42a84b": "imports a file that was not recorded",
    "plugin_properties/no_properties-0b9992": "imports a plugin that nobody has",
    "plugin_properties/valid_properties-1a8634": "imports a plugin that nobody has",
    "scaling_policies_and_groups/removed_contained_in_member7-b8aaa0": "members were recorded as above",
    "scaling_policies_and_groups/removed_contained_in_member8-598479": "members were recorded as above",
}


@pytest.fixture(autouse=True)
def corpus() -> None:
    if not CORPUS.is_dir():
        assert os.environ.get("GROUNDPLAN_CORPUS") != "required", f"{CORPUS} is absent"
        pytest.skip(f"the recorded cases are not at {CORPUS}")


def differences(case: Path) -> list[str]:
    """Return how our plan, or refusal, differs from the recorded one."""
    spec = spec_from_file_location("check", CORPUS / "check.py")
    assert spec is not None
    assert spec.loader is not None
    check: Any = module_from_spec(spec)
    spec.loader.exec_module(check)
    expected = json.loads(case.read_text(encoding="utf-8"))
    report = Report()
    found = compile_blueprint(SourceFile.at(case.with_name("blueprint.yaml")), NoFetch(), report)
    if not expected["valid"]:
        return ["accepted"] if found is not None else []
    if found is None:
        return [render(report)]
    return list(check.compare(expected["plan"], json.loads(json.dumps(to_plan(found)))))


def test_recorded_cases_hold() -> None:
    names = {f"{case.parts[-3]}/{case.parts[-2]}": differences(case) for case in CASES}
    failing = {name: wrong for name, wrong in names.items() if wrong}
    assert len(names) == 352
    assert failing.keys() == DIFFERENT.keys(), "\n".join(
        f"{name}: {wrong[0]}" for name, wrong in failing.items() if name not in DIFFERENT
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: "-".join(path.parts[-3:-1]) + "-" + path.stem)
def test_the_published_example_compiles_as_it_is(example: Path) -> None:
    report = Report()
    found = compile_blueprint(SourceFile.at(example), Installed(example), report)
    assert report.diagnostics == (), render(report)
    assert found is not None
