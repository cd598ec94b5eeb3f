"""The manifest: every operation path leads to a function, every type can stand in a blueprint, every name says what."""

from importlib import import_module
from importlib.resources import files
from typing import Any

import pytest
import yaml

from groundplan.diagnostics.report import Report
from groundplan.dsl.compile import compile as compile_blueprint
from groundplan.dsl.folder import MemoryFolder, SourceFile
from groundplan.dsl.imports import NoFetch, Text
from groundplan.sdk.operation import traits

TEXT = files("groundplan_kubernetes").joinpath("plugin.yaml").read_text("utf-8")
MANIFEST: dict[str, Any] = yaml.safe_load(TEXT)
OPERATIONS: dict[str, str] = MANIFEST["groundplan"]["operations"]
PUBLISHED = """
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml, 'plugin:cloudify-kubernetes-plugin?version= >=2.9.3']
node_templates:
  cluster:
    type: cloudify.nodes.Root
  kubernetes_master:
    type: cloudify.kubernetes.nodes.Master
    properties:
      configuration: &configuration
        file_content: { get_attribute: [cluster, kubeconf] }
    relationships: [{type: cloudify.relationships.depends_on, target: cluster}]
  account:
    type: cloudify.kubernetes.resources.ServiceAccount
    properties:
      client_config: { configuration: *configuration }
      definition: { apiVersion: v1, kind: ServiceAccount, metadata: { name: user, namespace: default } }
      options: { namespace: default }
    relationships: [{type: cloudify.kubernetes.relationships.managed_by_master, target: kubernetes_master}]
  binding:
    type: cloudify.kubernetes.resources.RoleBinding
    properties:
      client_config:
        configuration: { api_options: { host: 'https://127.0.0.1', api_key: { get_secret: k }, verify_ssl: false } }
        authentication: { aws_access_key_id: { get_secret: id }, region_name: eu-west-1 }
      definition:
        apiVersion: rbac.authorization.k8s.io/v1beta1
        kind: ClusterRoleBinding
        metadata: { name: { get_property: [account, definition, metadata, name] } }
  file:
    type: cloudify.kubernetes.resources.FileDefinedResource
    properties:
      file: { resource_path: a.yaml, target_path: b, template_variables: { x: 1 } }
      validate_resource_status: true
  files:
    type: cloudify.kubernetes.resources.MultipleFileDefinedResources
    properties: { files: [{ resource_path: a.yaml }], allow_node_redefinition: true }
    interfaces:
      cloudify.interfaces.lifecycle:
        create:
          implementation: kubernetes.cloudify_kubernetes.tasks.multiple_file_resource_create
          inputs: { files: [{ resource_path: b.yaml }] }
"""


class Installed(NoFetch):
    """The plugin, as if it were installed."""

    def plugin(self, name: str, specifiers: str) -> Text | None:
        return Text(name, TEXT)


def faults(text: str) -> list[str]:
    report = Report()
    main = SourceFile(MemoryFolder({"blueprint.yaml": text.encode()}, ""), "blueprint.yaml")
    compile_blueprint(main, Installed(), report)
    return [str(fault) for fault in report.errors]


@pytest.mark.parametrize("place", sorted(set(OPERATIONS.values())))
def test_functions_behind_paths_can_be_repeated(place: str) -> None:
    module, name = place.split(":")
    assert traits(getattr(import_module(module), name)).repeatable


def test_types_map_paths_that_exist() -> None:
    paths = {
        str(path).removeprefix("kubernetes.")
        for declared in MANIFEST["node_types"].values()
        for interface in declared.get("interfaces", {}).values()
        for path in interface.values()
    }
    assert len(paths) == 15
    assert paths <= set(OPERATIONS)


def test_blueprints_as_they_are_published_compile() -> None:
    assert faults(PUBLISHED) == []


@pytest.mark.parametrize("spoilt", ["{ configuration: { file_contnt: x } }", "{ configuraton: {} }"])
def test_a_misspelt_client_config_is_a_fault(spoilt: str) -> None:
    assert faults(PUBLISHED.replace("{ configuration: *configuration }", spoilt)) != []


def test_everything_that_an_author_types_has_a_description() -> None:
    silent = [
        f"{name}.{key}"
        for section in ("node_types", "data_types")
        for name, declared in MANIFEST[section].items()
        for key, schema in declared.get("properties", {}).items()
        if not schema.get("description") and name != "cloudify.kubernetes.types.CustomObjectsOptions"
    ]
    assert silent == []
