"""Texts that Hypothesis makes up from the language's own words, and texts made to exhaust a reader.

None may give a traceback, take long or much memory. `GROUNDPLAN_FUZZ=100000` tries that many of the made-up ones,
others each time; without it they are the same each time.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundplan.diagnostics.render import render, to_json
from groundplan.diagnostics.report import Report
from groundplan.dsl.compile import compile as compile_blueprint
from groundplan.dsl.structure import BLUEPRINT, Closed, Constraint, Form, Import, Listed, Named
from groundplan.model.blueprint import from_plan, to_plan
from groundplan.model.values import FUNCTIONS

from .writing import SHELF, Shelf, folder_of

ROUNDS = int(os.environ.get("GROUNDPLAN_FUZZ", "500"))
SAME = "GROUNDPLAN_FUZZ" not in os.environ
SECONDS = 10
MEGABYTES = 700
NAMES = ("a", "b", "ns--a", "cloudify.nodes.Root", "cloudify.nodes.Compute", "cloudify.relationships.contained_in", "")
STEPS = ("SELF", "SOURCE", "TARGET", "a", "b", 0, -1, 99, True, None)


def scalars() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.sampled_from([*NAMES, *STEPS, "string", "integer", "list", "p.x", "scripts/x.sh", "UNBOUNDED", "+1 day"]),
        st.integers(-(10**20), 10**20),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=5),
    )


def calls(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    arguments = st.one_of(inner, st.lists(st.one_of(st.sampled_from(STEPS), inner), max_size=4))
    return st.dictionaries(st.sampled_from(sorted(FUNCTIONS)), arguments, min_size=1, max_size=1)


@cache
def anything() -> st.SearchStrategy[Any]:
    return st.recursive(
        scalars(),
        lambda inner: st.one_of(
            calls(inner), st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
        ),
        max_leaves=6,
    )


SHAPED: dict[int, st.SearchStrategy[Any]] = {}


def shaped(form: Form) -> st.SearchStrategy[Any]:
    """Return values of a form, and now and then something else in its place; made once for each form."""
    if id(form) not in SHAPED:
        fits = fitting(form)
        SHAPED[id(form)] = st.one_of(fits, fits, fits, anything())
    return SHAPED[id(form)]


def fitting(form: Form) -> st.SearchStrategy[Any]:
    match form:
        case Closed():
            required = {key: st.deferred(lambda key=key: shaped(form.form(key))) for key in form.element.required}
            others = form.element.keys.keys() - form.element.required - {"imported_blueprints", "namespaces_mapping"}
            optional = {key: st.deferred(lambda key=key: shaped(form.form(key))) for key in sorted(others)}
            return st.fixed_dictionaries(required, optional=optional)
        case Named():
            return st.dictionaries(st.sampled_from(NAMES), shaped(form.item), max_size=2)
        case Listed():
            return st.lists(shaped(form.item), max_size=2)
        case Constraint():
            return st.sampled_from([{"in_range": [1, 2]}, {"valid_values": ["a"]}, {"pattern": "("}, {"length": "a"}])
        case Import():
            return st.sampled_from(["part.yaml", "plugin:shelf", "x--blueprint:vpc", {"plugin:shelf": {"colour": 1}}])
    return anything()


def sections() -> st.SearchStrategy[dict[str, Any]]:
    names = sorted(BLUEPRINT.element.keys.keys() - {"imports", "tosca_definitions_version"})
    chosen = st.sets(st.sampled_from(names), max_size=4)
    return chosen.flatmap(
        lambda keys: st.fixed_dictionaries({key: shaped(BLUEPRINT.form(key)) for key in sorted(keys)})
    )


def read(files: dict[str, str], fetch: Shelf = SHELF) -> Report:
    """Compile, and hold what comes out against what every reading promises."""
    report = Report()
    found = compile_blueprint(folder_of(files), fetch, report)
    assert (found is None) == report.has_errors
    assert bool(render(report)) == bool(report.diagnostics)
    json.dumps(to_json(report))
    if found is not None:
        plan = json.loads(json.dumps(to_plan(found)))
        assert to_plan(from_plan(plan)) == plan
    return report


@settings(max_examples=ROUNDS, deadline=None, database=None, derandomize=SAME, suppress_health_check=list(HealthCheck))
@given(sections(), st.integers(0, 5), st.booleans())
def test_whatever_is_made_of_the_languages_words_is_compiled_or_refused(
    document: dict[str, Any], version: int, standard: bool
) -> None:
    imports = ["cloudify/types/types.yaml"] if standard else []
    whole = {"tosca_definitions_version": f"cloudify_dsl_1_{version}", "imports": imports, **document}
    read({"blueprint.yaml": json.dumps(whole), "part.yaml": "{}"})


HEAD = "tosca_definitions_version: cloudify_dsl_1_5\n"
BOMB = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
EXHAUSTING: dict[str, Callable[[], str]] = {
    "aliases of aliases": lambda: (
        HEAD + "dsl_definitions:\n  a0: &a0 [x]\n" + "".join(f"  {line}\n" for line in BOMB.splitlines())
    ),
    "merges of merges": lambda: (
        HEAD
        + "dsl_definitions:\n  m0: &m0 {k0: 0}\n"
        + "".join(f"  m{n}: &m{n} {{<<: [*m{n - 1}, *m{n - 1}], k{n}: *m{n - 1}}}\n" for n in range(1, 40))
    ),
    "an anchor in itself": lambda: HEAD + "metadata: &a {b: [*a, *a]}\n",
    "brackets": lambda: HEAD + "metadata: " + "[" * 200_000,
    "braces": lambda: HEAD + "metadata: " + "{a: " * 200_000,
    "indentation": lambda: HEAD + "metadata:\n" + "".join(f"{' ' * n}a:\n" for n in range(1, 3_000)),
    "functions in functions": lambda: HEAD + "outputs: {a: {value: " + "{concat: [" * 5_000 + "]}" * 5_000 + "}}",
    "one long line": lambda: HEAD + "description: " + "x" * 5_000_000 + "\n  y: [\n",
    "many wrong keys": lambda: HEAD + "".join(f"wrong_{n}: 1\n" for n in range(20_000)),
    "many wrong templates": lambda: (
        HEAD + "node_templates:\n" + "".join(f"  n{n}: {{type: t{n}}}\n" for n in range(10_000))
    ),
    "a circle of types": lambda: (
        HEAD + "node_types:\n" + "".join(f"  t{n}: {{derived_from: t{(n + 1) % 2_000}}}\n" for n in range(2_000))
    ),
    "a long chain of types": lambda: (
        HEAD + "node_types:\n  t0: {}\n" + "".join(f"  t{n}: {{derived_from: t{n - 1}}}\n" for n in range(1, 3_000))
    ),
    "data types that double": lambda: (
        HEAD
        + "data_types:\n  d0: {properties: {x: {default: 1}}}\n"
        + "".join(f"  d{n}: {{properties: {{a: {{type: d{n - 1}}}, b: {{type: d{n - 1}}}}}}}\n" for n in range(1, 60))
    ),
    "a slow pattern": lambda: HEAD + "inputs: {a: {default: " + "a" * 40 + "!, constraints: [{pattern: '(a+)+$'}]}}\n",
    "properties that need each other": lambda: (
        HEAD
        + "node_types: {t: {properties: {p: {}}}}\nnode_templates:\n"
        + "".join(
            f"  n{n}: {{type: t, properties: {{p: {{get_property: [n{(n + 1) % 3_000}, p]}}}}}}\n" for n in range(3_000)
        )
    ),
    "control characters": lambda: HEAD + "description: \x00\x07\n",
    "a number of many digits": lambda: HEAD + "metadata: {a: " + "9" * 100_000 + "}\n",
}
CHILD = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, ({seconds}, {seconds}))
from pathlib import Path
from groundplan.diagnostics.render import render
from groundplan.diagnostics.report import Report
from groundplan.dsl.compile import compile
from groundplan.dsl.folder import SourceFile
from groundplan.dsl.imports import NoFetch
report = Report()
found = compile(SourceFile.at(Path(sys.argv[1])), NoFetch(), report)
assert (found is None) == report.has_errors
print(render(report)[:200])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.parametrize("what", sorted(EXHAUSTING))
def test_no_text_exhausts_the_reader(what: str, tmp_path: Path) -> None:
    file = tmp_path / "blueprint.yaml"
    file.write_text(EXHAUSTING[what](), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", CHILD.format(seconds=SECONDS), str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stderr[-600:]}"
    assert int(done.stdout.splitlines()[-1]) < MEGABYTES


def test_imports_in_a_circle_end() -> None:
    files = {f"part{n}.yaml": f"imports: [part{(n + 1) % 50}.yaml, blueprint.yaml]\n" for n in range(50)}
    assert read({"blueprint.yaml": HEAD + "imports: [part0.yaml]\n", **files}).diagnostics == ()


def test_imports_that_multiply_end() -> None:
    grows = f"imports: [{', '.join(f'n{n}--part.yaml' for n in range(9))}]\n"
    begin = time.monotonic()
    report = read({"blueprint.yaml": HEAD + grows, "part.yaml": grows})
    assert {found.fault.code for found in report.errors} == {"import-limit"}
    assert time.monotonic() - begin < SECONDS


@pytest.mark.parametrize("path", ["../secret.yaml", "/etc/passwd", "file:///etc/passwd", "a/../../secret.yaml"])
def test_imports_do_not_leave_the_folder(path: str) -> None:
    codes = {found.fault.code for found in read({"blueprint.yaml": HEAD + f"imports: ['{path}']\n"}).errors}
    assert codes <= {"import-outside", "import-missing"}
    assert codes
