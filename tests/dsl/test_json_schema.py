"""The JSON Schema of the language takes every blueprint that the parser takes, and refuses wrong shapes."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator

from groundplan.cli.main import cli
from groundplan.diagnostics.report import Report
from groundplan.dsl.compile import compile as compile_blueprint
from groundplan.dsl.folder import MemoryFolder, SourceFile
from groundplan.dsl.json_schema import json_schema
from groundplan.dsl.reader import read_data
from groundplan.dsl.versions import VERSIONS, Version

from .writing import SHELF

ROOT = Path(__file__).parents[2]
RECORDED = ROOT.parent / "shared" / "corpus" / "cloudify-parser"
SHAPE = {"key-unknown", "section-unknown", "key-missing", "kind-wrong", "version-unknown", "feature-version"}
"""Codes of the faults that a schema can see."""
BEYOND = {
    "feature-concat-before-1_1",
    "feature-merge-before-1_3",
    "feature-object-type-before-1_4",
    "workflow-mapping-empty",
}
"""Functions, types and empty texts are values, of which the schema says nothing."""


@cache
def validator(version: Version | None = None) -> Draft7Validator:
    schema = json_schema(version)
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def accepts(path: Path) -> bool:
    document = read_data(path.read_bytes(), str(path), Report())
    return bool(validator().is_valid(document))


def accepted() -> list[Path]:
    own = [*(ROOT / "blueprints").rglob("*.yaml"), *(ROOT / "tests" / "corpus" / "accepted").glob("*.yaml")]
    recorded = [
        case.with_name("blueprint.yaml")
        for case in sorted(RECORDED.glob("*/*/expect.json"))
        if json.loads(case.read_text())["valid"]
    ]
    return own + recorded


def test_every_accepted_blueprint_fits() -> None:
    found = accepted()
    assert len(found) > 20
    assert [str(path) for path in found if not accepts(path)] == []


def rejected() -> list[Path]:
    return sorted((ROOT / "tests" / "corpus" / "rejected").glob("*.yaml"))


def codes(path: Path) -> set[str]:
    report = Report()
    main = SourceFile(MemoryFolder({"blueprint.yaml": path.read_bytes()}), "blueprint.yaml")
    compile_blueprint(main, SHELF, report)
    return {found.fault.code for found in report.errors}


def test_wrong_shapes_are_refused() -> None:
    wrong = {path.stem: codes(path) & SHAPE for path in rejected() if codes(path) & SHAPE}
    fitting = {path.stem for path in rejected() if accepts(path)}
    assert len(wrong) > 20
    assert {name: found for name, found in wrong.items() if name in fitting - BEYOND} == {}


@pytest.mark.parametrize(
    ("document", "version"),
    [
        ({"node_templates": {"a": {"type": "x", "instance": {}}}}, "1_5"),
        ({"node_templates": {"a": {}}}, "1_5"),
        ({"inputs": {"a": {"hidden": True}}}, "1_2"),
        ({"inputs": {"a": {"required": "yes"}}}, "1_5"),
        ({"inputs": {"a": {"constraints": [{"matches": "x"}]}}}, "1_5"),
        ({"imports": [{"plugin:a": {}}]}, "1_4"),
        ({"groups": {"a": {"members": []}}}, "1_5"),
        ({"plugins": {"a": {"executor": "agent"}}}, "1_5"),
        ({"upload_resources": {}}, "1_5"),
    ],
)
def test_a_wrong_shape_is_refused(document: dict[str, Any], version: str) -> None:
    text = f"cloudify_dsl_{version}"
    whole = {"tosca_definitions_version": text, **document}
    assert not validator().is_valid(whole)
    assert not validator(VERSIONS[text]).is_valid(whole)


def test_the_command_prints_it() -> None:
    runner = CliRunner()
    assert json.loads(runner.invoke(cli, ["blueprints", "schema"]).output) == json_schema()
    assert json.loads(runner.invoke(cli, ["blueprints", "schema", "--version", "1_3"]).output) == json_schema(
        Version.V1_3
    )
