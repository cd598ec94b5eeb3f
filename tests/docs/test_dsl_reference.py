"""docs/reference/dsl.md: every example compiles, wrong ones give their codes, nothing of the language is missing."""

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import pytest

from groundplan.diagnostics.render import render
from groundplan.diagnostics.report import Report
from groundplan.dsl import constraints
from groundplan.dsl.compile import compile as compile_blueprint
from groundplan.dsl.structure import BLUEPRINT, Closed, Form, Listed, Named
from groundplan.model.types import OBJECT_TYPES, PRIMITIVES
from groundplan.model.values import FUNCTIONS

from ..dsl.writing import SHELF, folder_of

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "dsl.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = [
    pytest.param(match[1], id=str(TEXT.count("\n", 0, match.start()) + 1))
    for match in re.finditer(r"^```yaml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
]
TOLD = re.compile(r"# (?:wrong|warns): ([a-z-]+)\n")
SCRIPTS = ("create", "start", "backup")


def told(block: str) -> Report:
    """Compile a block below what the page says that it stands below."""
    head = "" if "tosca_definitions_version" in block else "tosca_definitions_version: cloudify_dsl_1_5\n"
    if "\nimports:" not in f"\n{block}":
        head += "imports: [cloudify/types/types.yaml]\n"
    if "cloudify_dsl_1_2" in block:
        head = ""
    files = {f"scripts/{name}.sh": "" for name in SCRIPTS}
    files["part.yaml"] = "node_templates:\n  part: {type: cloudify.nodes.Root}\n"
    report = Report()
    compile_blueprint(folder_of({**files, "blueprint.yaml": head + block}), SHELF, report)
    return report


@pytest.mark.parametrize("block", BLOCKS)
def test_an_example_is_what_the_page_says(block: str) -> None:
    report = told(block)
    wrong = TOLD.match(block)
    assert report.has_errors == block.startswith("# wrong:")
    assert {found.fault.code for found in report.diagnostics} == ({wrong[1]} if wrong else set()), indent(
        render(report), "    "
    )


def closed(form: Form) -> Iterator[Closed]:
    """Yield every element of the language."""
    if isinstance(form, Closed):
        yield form
        for key in form.element.keys:
            yield from closed(form.form(key))
    elif isinstance(form, Named | Listed):
        yield from closed(form.item)


@pytest.mark.parametrize("element", {form.element.name: form.element for form in closed(BLUEPRINT)}.items())
def test_every_key_has_an_example(element: tuple[str, object]) -> None:
    examples = "\n".join(param.values[0] for param in BLOCKS)
    keys = next(form.element.keys for form in closed(BLUEPRINT) if form.element.name == element[0])
    assert [key for key in keys if not re.search(rf"\b{key}:", examples)] == []


def test_every_function_has_an_example() -> None:
    examples = "\n".join(param.values[0] for param in BLOCKS)
    assert [name for name in FUNCTIONS if f"{{{name}:" not in examples] == []


def test_every_type_and_constraint_is_named() -> None:
    assert [name for name in (*PRIMITIVES, *OBJECT_TYPES, *constraints.OPERATORS) if f"`{name}`" not in TEXT] == []
