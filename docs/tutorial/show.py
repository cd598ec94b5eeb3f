"""Asks a cluster's Kubernetes API how the application's workload is, and prints what it answers.

Reads `groundplan deployments capabilities ... --json --reveal` from standard input and keeps the kubeconfig found there
beside the home's other files, readable by its owner alone: with `kubectl` at hand that file is all you need.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config

Row = tuple[str, str, str]
PATIENCE = 10
"""Seconds that one question may take."""


def show(capabilities: dict[str, Any], kubeconfig: Path) -> None:
    """Print the Deployments, Pods and Services of the workload's namespace; write `kubeconfig`, mode 0600."""
    content = capabilities["k8s_config"]["value"]
    namespace = capabilities["namespace"]["value"]
    keep(content, kubeconfig)
    print(f"{capabilities['k8s_endpoint']['value']} says of namespace {namespace}:")
    with config.new_client_from_config_dict(yaml.safe_load(content)) as api:
        for kind, name, state in [*deployments(api, namespace), *pods(api, namespace), *services(api, namespace)]:
            print(f"  {kind:<10}  {name:<24}  {state}")


def deployments(api: client.ApiClient, namespace: str) -> Iterator[Row]:
    """The replicas of each Deployment, and whether it is Available."""
    for item in client.AppsV1Api(api).list_namespaced_deployment(namespace, _request_timeout=PATIENCE).items:
        available = condition(item.status.conditions, "Available")
        yield "Deployment", item.metadata.name, f"Available={available}  {count(item)} replicas available"


def count(deployment: Any) -> str:
    """How many replicas are available, of how many that are wanted."""
    return f"{deployment.status.available_replicas or 0}/{deployment.spec.replicas}"


def pods(api: client.ApiClient, namespace: str) -> Iterator[Row]:
    """The phase of each Pod, and whether it is Ready."""
    for item in client.CoreV1Api(api).list_namespaced_pod(namespace, _request_timeout=PATIENCE).items:
        yield "Pod", item.metadata.name, f"Ready={condition(item.status.conditions, 'Ready')}  {item.status.phase}"


def services(api: client.ApiClient, namespace: str) -> Iterator[Row]:
    """The type, address and ports of each Service."""
    for item in client.CoreV1Api(api).list_namespaced_service(namespace, _request_timeout=PATIENCE).items:
        ports = ", ".join(
            f"{port.port}:{port.node_port}" if port.node_port else f"{port.port}" for port in item.spec.ports
        )
        yield "Service", item.metadata.name, f"{item.spec.type}  {item.spec.cluster_ip}  port {ports}"


def condition(conditions: Any, type_: str) -> str:
    """The status of a condition: True, False or Unknown (Kubernetes API conventions, "Typical status properties")."""
    return next((item.status for item in conditions or () if item.type == type_), "Unknown")


def keep(content: str, path: Path) -> None:
    """Write a file that nobody else can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)


if __name__ == "__main__":
    show(json.load(sys.stdin), Path(os.environ["GROUNDPLAN_HOME"]) / "kubeconfig")
