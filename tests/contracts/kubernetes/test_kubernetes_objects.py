"""Contract: create, read, replace, patch, list and refuse objects."""

from __future__ import annotations

import base64
import json

import pytest
from kubernetes import client


def refusal(call, *arguments, **options) -> dict:
    with pytest.raises(client.ApiException) as caught:
        call(*arguments, **options)
    status = json.loads(caught.value.body)
    assert (status["kind"], status["status"], status["code"]) == ("Status", "Failure", caught.value.status)
    return status


def test_a_created_object_has_its_identity(core, namespace):
    made = core.create_namespaced_config_map(namespace, {"metadata": {"name": "a"}, "data": {"k": "v"}})
    assert made.metadata.uid
    assert made.metadata.creation_timestamp
    assert core.read_namespaced_config_map("a", namespace).data == {"k": "v"}


def test_creating_twice_is_refused(core, namespace):
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "a"}})
    status = refusal(core.create_namespaced_config_map, namespace, {"metadata": {"name": "a"}})
    assert (status["code"], status["reason"]) == (409, "AlreadyExists")
    assert status["message"] == 'configmaps "a" already exists'


def test_what_is_not_there_is_not_found(core, apps, namespace):
    assert refusal(core.read_namespaced_config_map, "a", namespace)["reason"] == "NotFound"
    status = refusal(apps.delete_namespaced_deployment, "web", namespace)
    assert status["message"] == 'deployments.apps "web" not found'
    assert status["details"] == {"name": "web", "group": "apps", "kind": "deployments"}


def test_a_missing_namespace_takes_no_objects(core):
    status = refusal(core.create_namespaced_config_map, "nowhere", {"metadata": {"name": "a"}})
    assert status["message"] == 'namespaces "nowhere" not found'


def test_generate_name_adds_a_suffix(core, namespace):
    names = {
        core.create_namespaced_config_map(namespace, {"metadata": {"generateName": "job-"}}).metadata.name
        for _ in range(2)
    }
    assert len(names) == 2
    assert all(name.startswith("job-") and len(name) == 9 for name in names)


def test_a_stale_replacement_conflicts(core, namespace):
    first = core.create_namespaced_config_map(namespace, {"metadata": {"name": "a"}, "data": {"k": "1"}})
    core.patch_namespaced_config_map("a", namespace, {"data": {"k": "2"}})
    first.data = {"k": "3"}
    status = refusal(core.replace_namespaced_config_map, "a", namespace, first)
    assert (status["code"], status["reason"]) == (409, "Conflict")
    assert "the object has been modified" in status["message"]


def test_an_equal_write_keeps_the_revision(core, namespace):
    made = core.create_namespaced_config_map(namespace, {"metadata": {"name": "a"}, "data": {"k": "1"}})
    again = core.patch_namespaced_config_map("a", namespace, {"data": {"k": "1"}})
    assert again.metadata.resource_version == made.metadata.resource_version


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "dot.", "x" * 254])
def test_names_are_dns_names(core, namespace, name):
    status = refusal(core.create_namespaced_config_map, namespace, {"metadata": {"name": name}})
    assert (status["code"], status["reason"]) == (422, "Invalid")
    assert status["details"]["causes"][0]["field"] == "metadata.name"


def test_a_selector_must_match_the_template(apps, namespace, deployment):
    body = deployment()
    body["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    status = refusal(apps.create_namespaced_deployment, namespace, body)
    assert status["message"].startswith(
        'Deployment.apps "web" is invalid: spec.template.metadata.labels: Invalid value'
    )
    assert "`selector` does not match template `labels`" in status["message"]


def test_a_selector_never_changes(apps, namespace, deployment):
    apps.create_namespaced_deployment(namespace, deployment())
    body = deployment()
    body["spec"]["selector"]["matchLabels"]["tier"] = "front"
    body["spec"]["template"]["metadata"]["labels"]["tier"] = "front"
    status = refusal(apps.replace_namespaced_deployment, "web", namespace, body)
    assert "field is immutable" in status["message"]


def test_every_fault_is_named(apps, namespace, deployment):
    body = deployment(container={"image": "", "volumeMounts": [{"name": "data", "mountPath": "/data"}]})
    causes = refusal(apps.create_namespaced_deployment, namespace, body)["details"]["causes"]
    prefix = "spec.template.spec.containers[0]"
    assert {cause["field"] for cause in causes} == {f"{prefix}.image", f"{prefix}.volumeMounts[0].name"}


def test_a_dry_run_leaves_nothing(core, namespace):
    made = core.create_namespaced_config_map(namespace, {"metadata": {"name": "a"}}, dry_run="All")
    assert made.metadata.name == "a"
    assert refusal(core.read_namespaced_config_map, "a", namespace)["code"] == 404


def test_string_data_becomes_data(core, namespace):
    core.create_namespaced_secret(namespace, {"metadata": {"name": "s"}, "stringData": {"password": "pässword"}})
    secret = core.read_namespaced_secret("s", namespace)
    assert base64.b64decode(secret.data["password"]).decode() == "pässword"
    assert (secret.string_data, secret.type) == (None, "Opaque")


def test_a_secret_that_is_no_base64_is_refused(core, namespace):
    status = refusal(
        core.create_namespaced_secret, namespace, {"metadata": {"name": "s"}, "data": {"k": "tell-no-one"}}
    )
    assert status["code"] in (400, 422)
    assert "tell-no-one" not in status["message"]


def test_an_immutable_config_map_stays(core, namespace):
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "a"}, "data": {"k": "1"}, "immutable": True})
    assert refusal(core.patch_namespaced_config_map, "a", namespace, {"data": {"k": "2"}})["code"] == 422


def test_labels_select(core, namespace):
    for name, labels in {"a": {"tier": "front"}, "b": {"tier": "back"}, "c": {}}.items():
        core.create_namespaced_config_map(namespace, {"metadata": {"name": name, "labels": labels}})

    def names(**selector):
        found = core.list_namespaced_config_map(namespace, **selector).items
        return [item.metadata.name for item in found if item.metadata.name in "abc"]

    assert names(label_selector="tier=front") == ["a"]
    assert names(label_selector="tier!=front") == ["b", "c"]
    assert names(label_selector="tier in (front, back)") == ["a", "b"]
    assert names(label_selector="!tier") == ["c"]
    assert names(field_selector="metadata.name=b") == ["b"]


def test_a_field_that_cannot_select_is_refused(core, namespace):
    status = refusal(core.list_namespaced_config_map, namespace, field_selector="data.k=1")
    assert (status["code"], status["reason"]) == (400, "BadRequest")


def test_lists_come_in_pages(core, namespace):
    for index in range(5):
        core.create_namespaced_config_map(namespace, {"metadata": {"name": f"p{index}", "labels": {"page": "y"}}})
    names, token = [], None
    while token != "":
        page = core.list_namespaced_config_map(namespace, label_selector="page=y", limit=2, _continue=token)
        assert len(page.items) <= 2
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue or ""
    assert names == [f"p{index}" for index in range(5)]


def test_status_is_written_apart(apps, namespace, deployment):
    body = deployment(replicas=0) | {"status": {"replicas": 7}}
    made = apps.create_namespaced_deployment(namespace, body)
    assert made.status.replicas is None
    condition = {"type": "Tested", "status": "True", "reason": "Test", "message": "by the suite"}
    patched = apps.patch_namespaced_deployment_status("web", namespace, {"status": {"conditions": [condition]}})
    assert "Tested" in [each.type for each in patched.status.conditions]
    assert patched.metadata.generation == 1


def test_the_generation_counts_changes_of_spec(apps, namespace, deployment):
    apps.create_namespaced_deployment(namespace, deployment())
    labelled = apps.patch_namespaced_deployment("web", namespace, {"metadata": {"labels": {"x": "y"}}})
    scaled = apps.patch_namespaced_deployment("web", namespace, {"spec": {"replicas": 3}})
    assert (labelled.metadata.generation, scaled.metadata.generation) == (1, 2)


def test_the_patch_formats_differ(raw, apps, namespace, deployment):
    apps.create_namespaced_deployment(namespace, deployment())
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    sidecar = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "envoy"}]}}}}

    def names(item):
        return [each["name"] for each in item["spec"]["template"]["spec"]["containers"]]

    both = raw("PATCH", path, body=sidecar, Content_Type="application/strategic-merge-patch+json")
    assert set(names(both)) == {"web", "side"}
    pointer = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "new"}]
    changed = raw("PATCH", path, body=pointer, Content_Type="application/json-patch+json")
    assert changed["spec"]["template"]["spec"]["containers"][0]["image"] == "new"
    assert names(raw("PATCH", path, body=sidecar, Content_Type="application/merge-patch+json")) == ["side"]


def test_an_unknown_patch_format_is_refused(raw, core, namespace):
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "a"}})
    path = f"/api/v1/namespaces/{namespace}/configmaps/a"
    assert refusal(raw, "PATCH", path, body={}, Content_Type="application/json")["code"] == 415


def test_replicas_scale_by_the_subresource(apps, namespace, deployment, eventually):
    apps.create_namespaced_deployment(namespace, deployment(replicas=1))
    scale = apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 3}})
    assert scale.spec.replicas == 3
    eventually(lambda: apps.read_namespaced_deployment_scale("web", namespace).status.replicas == 3)


@pytest.mark.parametrize(
    ("path", "value"),
    [("replicas", "two"), ("selector", []), ("template", "x"), ("paused", 1), ("minReadySeconds", True)],
)
def test_a_value_of_the_wrong_type_is_refused(raw, namespace, deployment, path, value):
    body = deployment()
    body["spec"][path] = value
    call = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    status = refusal(raw, "POST", call, body=body, Content_Type="application/json")
    assert (status["code"], status["reason"]) == (400, "BadRequest")
    assert f"spec.{path} of type" in status["message"]


@pytest.mark.parametrize("surge", ["many", "-1%", -1])
def test_a_surge_is_a_number_or_a_percentage(apps, namespace, deployment, surge):
    body = deployment()
    body["spec"]["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge}}
    status = refusal(apps.create_namespaced_deployment, namespace, body)
    assert status["details"]["causes"][0]["field"] == "spec.strategy.rollingUpdate.maxSurge"
