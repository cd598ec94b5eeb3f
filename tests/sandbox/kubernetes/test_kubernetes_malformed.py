"""Of the sandbox: whatever a client sends, the answer is an object or a refusal, never a fault of the server."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundplan_sandbox.kubernetes.api import Api, Options, Patch
from groundplan_sandbox.kubernetes.bodies import FieldValidation
from groundplan_sandbox.kubernetes.kinds import KINDS, NAMESPACE, SERVICE_ACCOUNT, kind_named
from groundplan_sandbox.kubernetes.status import ApiError
from groundplan_sandbox.kubernetes.table import Presentation, present_list

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
OPTIONS = Options(manager="test", field_validation=FieldValidation.WARN)
POD = {
    "nodeSelector": {"disk": "ssd"},
    "volumes": [{"name": "v", "configMap": {"name": "c", "items": [{"key": "k", "path": "p"}]}}],
    "containers": [
        {
            "name": "web",
            "image": "nginx",
            "ports": [{"name": "http", "containerPort": 80}],
            "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
            "envFrom": [{"configMapRef": {"name": "c"}}],
            "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            "readinessProbe": {"httpGet": {"port": "http"}},
        }
    ],
}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": POD}
SELECTOR = {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}
PORTS = [{"name": "http", "port": 80, "targetPort": "http", "nodePort": 30080}]
RULES = [{"host": "h", "http": {"paths": [{"path": "/", "backend": {"service": {"name": "web"}}}]}}]
OBJECTS = {
    "v1 Pod": {"spec": POD},
    "v1 Service": {"spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": PORTS}},
    "v1 ConfigMap": {"data": {"k": "v"}, "immutable": True},
    "v1 Secret": {"data": {"k": "dg=="}, "stringData": {"a": "b"}, "type": "Opaque"},
    "v1 PersistentVolumeClaim": {
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    },
    "apps/v1 Deployment": {
        "spec": {
            "replicas": 2,
            "selector": SELECTOR,
            "template": TEMPLATE,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"}},
        }
    },
    "apps/v1 StatefulSet": {"spec": {"serviceName": "s", "selector": SELECTOR, "template": TEMPLATE}},
    "batch/v1 Job": {"spec": {"template": {"spec": POD | {"restartPolicy": "Never"}}, "completions": 1}},
    "networking.k8s.io/v1 Ingress": {"spec": {"rules": RULES}},
    "rbac.authorization.k8s.io/v1 RoleBinding": {
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "name": "ann"}],
    },
}


def fresh_api():
    api = Api()
    api.create(NAMESPACE, "", {"metadata": {"name": "default"}}, OPTIONS)
    api.create(SERVICE_ACCOUNT, "default", {"metadata": {"name": "default"}}, OPTIONS)
    return api


def places(value, path=()):
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*path, key))


def with_value(body, path, value):
    result = copy.deepcopy(body)
    node = result
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return result


def body_of(name):
    return {"metadata": {"name": "web", "labels": {"app": "web"}, "annotations": {}}} | OBJECTS[name]


def attempt(call, *arguments):
    try:
        call(*arguments)
    except ApiError as error:
        # The real server, too, answers an unknown field in an applied configuration with 500.
        assert error.code < 500 or "field not declared in schema" in error.message  # noqa: PT017


@pytest.mark.parametrize("name", OBJECTS)
def test_the_objects_are_good_as_they_are(name):
    kind = kind_named(*name.split())
    assert fresh_api().create(kind, "default", body_of(name), OPTIONS)["metadata"]["name"] == "web"


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(sorted(OBJECTS)), ANYTHING)
def test_one_wrong_value_is_refused_or_taken(data, name, value):
    kind, api = kind_named(*name.split()), fresh_api()
    path = data.draw(st.sampled_from([path for path in places(body_of(name)) if path]))
    body = with_value(body_of(name), path, value)
    attempt(api.create, kind, "default", body, OPTIONS)
    present_list(Presentation.TABLE, kind, api.store.select(kind), {"resourceVersion": "1"})
    again = fresh_api()
    again.create(kind, "default", body_of(name), OPTIONS)
    attempt(again.replace, kind, "default", "web", body, OPTIONS)
    for patch in (Patch.APPLY, Patch.MERGE, Patch.STRATEGIC):
        attempt(again.patch, kind, "default", "web", patch, body, OPTIONS)
    attempt(fresh_api().patch, kind, "default", "web", Patch.APPLY, body, OPTIONS)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(["spec", "data", "metadata", "rules"]), ANYTHING))
def test_any_body_is_refused_or_taken(kind, body):
    api = fresh_api()
    attempt(api.create, kind, "default" if kind.namespaced else "", body, OPTIONS)
    present_list(Presentation.TABLE, kind, api.store.select(kind), {"resourceVersion": "1"})
