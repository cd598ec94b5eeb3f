"""The manifest: every operation path leads to a function, and every type can stand in a blueprint."""

import runpy
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundplan.diagnostics.report import Report
from groundplan.dsl.compile import compile as compile_blueprint
from groundplan.dsl.folder import MemoryFolder, SourceFile
from groundplan.dsl.imports import NoFetch, Text
from groundplan.sdk.operation import traits
from groundplan_aws.catalogue import PARTS, RESOURCES
from groundplan_aws.older import OLDER_NODES

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
TEXT = files("groundplan_aws").joinpath("plugin.yaml").read_text("utf-8")
MANIFEST: dict[str, Any] = yaml.safe_load(TEXT)
OPERATIONS: dict[str, str] = MANIFEST["groundplan"]["operations"]
TYPES = [
    name
    for name in MANIFEST["node_types"]
    if not name.endswith(("BaseType", ".aws.Resource", ".aws.Part")) and not name.startswith(OLDER_NODES)
]


ONCE = {"groundplan_aws.invocations:invoke"}
"""What a function of Lambda does twice is not ours to say."""


class Installed(NoFetch):
    """The plugin, as if it were installed."""

    def plugin(self, name: str, specifiers: str) -> Text | None:
        return Text(name, TEXT)


@pytest.mark.parametrize("place", sorted(set(OPERATIONS.values())))
def test_functions_behind_paths_can_be_repeated(place: str) -> None:
    module, name = place.split(":")
    assert traits(getattr(import_module(module), name)).repeatable is (place not in ONCE)


def test_every_row_has_a_type() -> None:
    assert set(RESOURCES) | set(PARTS) <= set(TYPES)


def test_types_map_paths_that_exist() -> None:
    mapped = [
        operation if isinstance(operation, str) else operation["implementation"]
        for declared in (*MANIFEST["node_types"].values(), *MANIFEST["relationships"].values())
        for side in ("interfaces", "source_interfaces", "target_interfaces")
        for interface in declared.get(side, {}).values()
        for operation in interface.values()
    ]
    assert mapped
    assert {path.removeprefix("aws.") for path in mapped} <= set(OPERATIONS)


@pytest.mark.parametrize("node_type", TYPES)
def test_a_node_of_each_type_compiles(node_type: str) -> None:
    blueprint = f"""
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml, "plugin:cloudify-aws-plugin?version= >=2.5.6"]
node_templates:
  node:
    type: {node_type}
    properties:
      client_config: {{region_name: us-west-1}}
      resource_config: {{kwargs: {{Anything: 1}}}}
    interfaces:
      cloudify.interfaces.lifecycle:
        stop: {{}}
"""
    report = Report()
    main = SourceFile(MemoryFolder({"blueprint.yaml": blueprint.encode()}, ""), "blueprint.yaml")
    assert compile_blueprint(main, Installed(), report) is not None, report.errors


def test_an_import_may_say_where_and_as_whom() -> None:
    blueprint = """
tosca_definitions_version: cloudify_dsl_1_5
imports:
  - cloudify/types/types.yaml
  - plugin:cloudify-aws-plugin:
      region_name: us-west-1
      aws_secret_access_key: {get_secret: aws_secret_access_key}
node_templates:
  node: {type: cloudify.nodes.aws.ec2.Vpc}
"""
    report = Report()
    main = SourceFile(MemoryFolder({"blueprint.yaml": blueprint.encode()}, ""), "blueprint.yaml")
    compiled = compile_blueprint(main, Installed(), report)
    assert compiled is not None, report.errors
    given = {name for name, value in compiled.plugins["aws"].values.items() if value is not None}
    assert given == {"region_name", "aws_secret_access_key"}


def test_generated_files_are_as_the_rows_say() -> None:
    writer = runpy.run_path(str(REFERENCE / "write_aws.py"))
    assert writer["manifest"](TEXT) == TEXT, "run: make docs"
    assert (REFERENCE / "plugins/aws.md").read_text("utf-8") == writer["page"](TEXT), "run: make docs"
