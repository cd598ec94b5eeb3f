"""Contract: kubectl, as people use it."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.live


@pytest.fixture
def manifest(deployment):
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
    }
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [deployment(), service]})


@pytest.mark.parametrize("flags", [[], ["--server-side"]], ids=["client-side", "server-side"])
def test_apply_rollout_change_delete(kubectl, manifest, flags):
    kubectl("apply", *flags, "-f", "-", stdin=manifest)
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=60s")
    changed = manifest.replace("nginx:1.27", "nginx:1.28")
    assert "diff" in kubectl("diff", *flags, "-f", "-", stdin=changed, check=False).stdout
    kubectl("apply", *flags, "-f", "-", stdin=changed)
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    kubectl("rollout", "undo", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    assert "nginx:1.27" in kubectl("get", "deployment", "web", "-o", "wide").stdout
    kubectl("delete", "-f", "-", "--timeout=60s", stdin=manifest)
    assert "No resources found" in kubectl("get", "deployments").stderr


def test_get_prints_tables(kubectl, manifest):
    kubectl("apply", "-f", "-", stdin=manifest)
    kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s")
    lines = kubectl("get", "pods", "-o", "wide").stdout.splitlines()
    assert lines[0].split()[:5] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert all("1/1" in line and "Running" in line for line in lines[1:])
    assert "10." in kubectl("get", "service", "web").stdout
    assert json.loads(kubectl("get", "all", "-o", "json").stdout)["items"]


def test_two_managers_conflict(kubectl, manifest):
    kubectl("apply", "--server-side", "--field-manager=one", "-f", "-", stdin=manifest)
    changed = manifest.replace('"replicas": 2', '"replicas": 4')
    refused = kubectl("apply", "--server-side", "--field-manager=two", "-f", "-", stdin=changed, check=False)
    assert refused.returncode != 0
    assert 'conflict with "one": .spec.replicas' in refused.stderr
    kubectl("apply", "--server-side", "--field-manager=two", "--force-conflicts", "-f", "-", stdin=changed)


def test_moving_from_client_side_to_server_side_apply(kubectl, manifest):
    kubectl("apply", "-f", "-", stdin=manifest)
    kubectl("apply", "--server-side", "-f", "-", stdin=manifest.replace("nginx:1.27", "nginx:1.28"))


def test_describe_and_edit_commands(kubectl, manifest):
    kubectl("apply", "-f", "-", stdin=manifest)
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    kubectl("label", "deployment/web", "tier=front")
    kubectl("scale", "deployment/web", "--replicas=3")
    kubectl("set", "image", "deployment/web", "web=nginx:1.29")
    kubectl("rollout", "restart", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    shown = kubectl("describe", "deployment", "web").stdout
    assert "ScalingReplicaSet" in shown
    assert "tier=front" in shown


def test_a_mistake_is_reported(kubectl, manifest):
    wrong = manifest.replace('"matchLabels": {"app": "web"}', '"matchLabels": {"app": "other"}')
    refused = kubectl("apply", "-f", "-", stdin=wrong, check=False)
    assert "`selector` does not match template `labels`" in refused.stderr


def test_the_generators_send_typed_objects(kubectl):
    """These commands send protobuf, where apply and get speak JSON."""
    kubectl("create", "configmap", "settings", "--from-literal=host=db")
    kubectl("create", "secret", "generic", "login", "--from-literal=password=p\u00e4ss")
    kubectl("create", "serviceaccount", "robot")
    kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2", "--port=80")
    kubectl("create", "service", "clusterip", "web", "--tcp=80:http")
    kubectl("create", "role", "reader", "--verb=get", "--resource=pods")
    kubectl("create", "rolebinding", "reader", "--role=reader", "--user=ann")
    kubectl("create", "job", "once", "--image=busybox", "--", "true")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    kubectl("wait", "--for=condition=Complete", "job/once", "--timeout=60s")
    items = json.loads(kubectl("get", "configmap/settings", "secret/login", "service/web", "-o", "json").stdout)[
        "items"
    ]
    assert items[0]["data"] == {"host": "db"}
    assert items[1]["data"] == {"password": "cMOkc3M="}
    assert items[2]["spec"]["ports"][0]["targetPort"] == "http"


def test_questions_of_access(kubectl):
    assert kubectl("auth", "can-i", "delete", "nodes").stdout.strip() == "yes"
    assert "admin" in kubectl("auth", "whoami").stdout
    kubectl("create", "serviceaccount", "robot")
    assert kubectl("create", "token", "robot").stdout.strip()


def test_a_misspelt_field_is_reported(kubectl, deployment):
    body = deployment()
    body["spec"]["replcas"] = 3
    refused = kubectl("apply", "-f", "-", stdin=json.dumps(body), check=False)
    assert 'strict decoding error: unknown field "spec.replcas"' in refused.stderr
    warned = kubectl("apply", "--validate=warn", "-f", "-", stdin=json.dumps(body))
    assert 'Warning: unknown field "spec.replcas"' in warned.stderr
    refused = kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(body), check=False)
    assert refused.returncode != 0
    assert "spec.replcas" in refused.stderr
