"""A blueprint of Kubernetes nodes, from its text to the cluster and back, by the commands that a user types."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from .conftest import Served

PROGRAM = Path(sys.executable).with_name("groundplan")
BLUEPRINT = """
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml, plugin:cloudify-kubernetes-plugin]
inputs:
  replicas: { type: integer, default: 1 }
node_templates:
  master:
    type: cloudify.kubernetes.nodes.Master
    properties:
      configuration: { blueprint_file_name: kubeconfig }
  space:
    type: cloudify.kubernetes.resources.Namespace
    properties:
      definition: { metadata: { name: whole-story } }
    relationships: [{ type: cloudify.kubernetes.relationships.managed_by_master, target: master }]
  settings:
    type: cloudify.kubernetes.resources.FileDefinedResource
    properties:
      file: { resource_path: settings.yaml, template_variables: { colour: blue } }
      options: { namespace: whole-story }
    relationships:
      - { type: cloudify.kubernetes.relationships.managed_by_master, target: master }
      - { type: cloudify.relationships.depends_on, target: space }
  app:
    type: cloudify.kubernetes.resources.Deployment
    properties:
      options: { namespace: whole-story }
      definition:
        apiVersion: apps/v1
        metadata: { name: app }
        spec:
          replicas: { get_input: replicas }
          selector: { matchLabels: { app: app } }
          template:
            metadata: { labels: { app: app } }
            spec: { containers: [{ name: main, image: nginx, envFrom: [{ configMapRef: { name: colours } }] }] }
    relationships:
      - { type: cloudify.kubernetes.relationships.managed_by_master, target: master }
      - { type: cloudify.relationships.depends_on, target: settings }
capabilities:
  available:
    value: { get_attribute: [app, kubernetes, status, availableReplicas] }
"""
SETTINGS = """
apiVersion: v1
kind: ConfigMap
metadata: { name: colours }
data: { colour: "{{ colour }}" }
"""

Groundplan = Callable[..., str]


@pytest.fixture
def groundplan(tmp_path: Path, served: Served) -> Groundplan:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "blueprint.yaml").write_text(BLUEPRINT)
    (folder / "settings.yaml").write_text(SETTINGS)
    (folder / "kubeconfig").write_text(yaml.safe_dump(served.kubeconfig))
    variables = {
        "PATH": os.defpath,
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "GROUNDPLAN_HOME": str(tmp_path / "home"),
    }

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [PROGRAM, *arguments], env=variables, cwd=folder, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_a_blueprint_is_installed_checked_and_uninstalled(groundplan: Groundplan, core: client.CoreV1Api) -> None:
    groundplan("install", "blueprint.yaml", "-b", "shop", "-d", "shop")
    assert core.read_namespaced_config_map("colours", "whole-story").data == {"colour": "blue"}
    capabilities: Any = json.loads(groundplan("deployments", "capabilities", "shop", "--json"))
    assert capabilities["available"]["value"] == 1
    for workflow in ("check_status", "check_drift", "pull"):
        groundplan("executions", "start", workflow, "-d", "shop")
    groundplan("executions", "start", "uninstall", "-d", "shop")
    assert "whole-story" not in [item.metadata.name for item in core.list_namespace().items]
