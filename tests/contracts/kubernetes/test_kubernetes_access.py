"""Contract: who may come in, and what the server says of itself."""

from __future__ import annotations

import base64
import json
import ssl
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from kubernetes import client


@pytest.fixture
def ask(kubeconfig: Path, tmp_path: Path):
    """A request without the admin's certificate; returns code and body."""
    cluster = json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)

    def run(path, **headers):
        request = Request(cluster["server"] + path, headers=headers)
        try:
            with urlopen(request, context=context, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return run


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic YTpi"}])
def test_strangers_are_refused(ask, headers):
    code, body = ask("/api/v1/namespaces", **headers)
    status = json.loads(body)
    assert (code, status["kind"], status["reason"]) == (401, "Status", "Unauthorized")


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_health_needs_no_credentials(ask, path):
    assert ask(path) == (200, "ok")


def test_the_version_needs_no_credentials(ask):
    code, body = ask("/version")
    assert code == 200
    assert json.loads(body)["major"] == "1"


def test_a_service_account_token_comes_in(ask, api, core, namespace):
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "robot"}})
    body = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
    made = core.create_namespaced_service_account_token("robot", namespace, body)
    code, _ = ask("/api", Authorization=f"Bearer {made.status.token}")
    assert code == 200


def test_a_secret_holds_a_token_while_the_account_lives(ask, core, namespace, eventually):
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "robot"}})
    metadata = {"name": "robot-token", "annotations": {"kubernetes.io/service-account.name": "robot"}}
    body = {"metadata": metadata, "type": "kubernetes.io/service-account-token"}
    core.create_namespaced_secret(namespace, body)
    data = eventually(lambda: core.read_namespaced_secret("robot-token", namespace).data)
    assert set(data) == {"token", "ca.crt", "namespace"}
    header = {"Authorization": f"Bearer {base64.b64decode(data['token']).decode()}"}
    assert ask("/api", **header)[0] == 200
    core.delete_namespaced_service_account("robot", namespace)
    eventually(lambda: ask("/api", **header)[0] == 401)
    eventually(
        lambda: "robot-token" not in [item.metadata.name for item in core.list_namespaced_secret(namespace).items]
    )


def test_the_admin_may_do_everything(api):
    review = {"spec": {"resourceAttributes": {"verb": "delete", "resource": "nodes"}}}
    answer = client.AuthorizationV1Api(api).create_self_subject_access_review(review)
    assert answer.status.allowed is True


def test_the_server_says_who_asks(api):
    answer = client.AuthenticationV1Api(api).create_self_subject_review({})
    assert answer.status.user_info.username == "admin"
    assert "system:masters" in answer.status.user_info.groups


def test_both_forms_of_discovery_name_the_same_resources(raw):
    legacy = raw("GET", "/apis/apps/v1", Accept="application/json")["resources"]
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    document = raw("GET", "/apis", Accept=accept)
    [group] = [item for item in document["items"] if item["metadata"]["name"] == "apps"]
    aggregated = {each["resource"] for each in group["versions"][0]["resources"]}
    assert aggregated == {each["name"] for each in legacy if "/" not in each["name"]}
    assert {"deployments", "statefulsets"} <= aggregated


def test_roles_are_kept(api, namespace):
    rbac = client.RbacAuthorizationV1Api(api)
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    rbac.create_namespaced_role(namespace, {"metadata": {"name": "reader"}, "rules": rules})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    body = {"metadata": {"name": "reader"}, "roleRef": reference, "subjects": [{"kind": "User", "name": "ann"}]}
    rbac.create_namespaced_role_binding(namespace, body)
    other = body | {"roleRef": reference | {"name": "writer"}}
    with pytest.raises(client.ApiException, match="422"):
        rbac.replace_namespaced_role_binding("reader", namespace, other)
