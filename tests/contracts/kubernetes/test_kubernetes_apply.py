"""Contract: server-side apply: ownership, conflicts, force, removal."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from kubernetes import client


@pytest.fixture
def apply(dynamic_client, namespace):
    def run(body, manager, *, force=False, **options):
        resource = dynamic_client.resources.get(api_version=body["apiVersion"], kind=body["kind"])
        applied = resource.server_side_apply(
            body=body, namespace=namespace, field_manager=manager, force_conflicts=force, **options
        )
        return applied.to_dict()

    return run


def config_map(**data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


def owners(item, manager):
    return [entry for entry in item["metadata"]["managedFields"] if entry["manager"] == manager]


def test_apply_creates_and_repeats_without_a_change(apply):
    first, second = apply(config_map(k="1"), "one"), apply(config_map(k="1"), "one")
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
    [entry] = owners(second, "one")
    assert (entry["operation"], entry["fieldsV1"]) == ("Apply", {"f:data": {"f:k": {}}})


def test_an_object_of_a_name_alone_is_applied(apply):
    bare = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    first = apply(bare, "one")
    assert apply(bare, "one")["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_string_data_applied_twice_is_one_write(apply, eventually):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "p"}}
    first = apply(secret, "one")
    assert first["data"] == {"password": "cA=="}
    begun = first["metadata"]["managedFields"][0]["time"]
    eventually(lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") > begun)
    assert apply(secret, "one")["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_two_managers_conflict_on_one_field(apply):
    apply(config_map(k="1"), "one")
    with pytest.raises(client.ApiException) as caught:
        apply(config_map(k="2"), "two")
    status = json.loads(caught.value.body)
    assert (status["code"], status["reason"]) == (409, "Conflict")
    [cause] = status["details"]["causes"]
    assert (cause["reason"], cause["field"]) == ("FieldManagerConflict", ".data.k")
    assert '"one"' in cause["message"]


def test_force_takes_the_field_over(apply):
    apply(config_map(k="1"), "one")
    taken = apply(config_map(k="2"), "two", force=True)
    assert taken["data"] == {"k": "2"}
    assert not owners(taken, "one")


def test_two_managers_share_a_field_of_one_value(apply):
    apply(config_map(k="1"), "one")
    shared = apply(config_map(k="1", other="x"), "two")
    assert owners(shared, "one")[0]["fieldsV1"] == {"f:data": {"f:k": {}}}
    left = apply(config_map(other="x"), "two")
    assert left["data"] == {"k": "1", "other": "x"}


def test_a_field_dropped_by_its_only_owner_goes(apply):
    apply(config_map(k="1", other="x"), "one")
    assert apply(config_map(k="1"), "one")["data"] == {"k": "1"}


def test_fields_of_others_stay(apply, core, namespace):
    apply(config_map(k="1"), "one")
    core.patch_namespaced_config_map("a", namespace, {"data": {"added": "y"}}, field_manager="editor")
    assert apply(config_map(k="2"), "one")["data"] == {"k": "2", "added": "y"}


def test_an_update_is_an_owner_too(apply, core, namespace):
    apply(config_map(k="1"), "one")
    core.patch_namespaced_config_map("a", namespace, {"data": {"k": "9"}}, field_manager="editor")
    with pytest.raises(client.ApiException) as caught:
        apply(config_map(k="1"), "one")
    assert 'conflict with "editor" using v1' in json.loads(caught.value.body)["message"]


def test_lists_merge_by_their_keys(apply, deployment):
    apply(deployment(), "one")
    sidecar = deployment(container={"name": "side", "image": "envoy", "ports": []})
    del sidecar["spec"]["replicas"]
    both = apply(sidecar, "two")
    assert [each["name"] for each in both["spec"]["template"]["spec"]["containers"]] == ["web", "side"]
    bare = deployment()
    bare["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}]
    changed = apply(bare, "one")
    web, side = changed["spec"]["template"]["spec"]["containers"]
    assert (web["env"], side["image"]) == ([{"name": "A", "value": "1"}], "envoy")
    without = apply(deployment(), "one")
    assert "env" not in without["spec"]["template"]["spec"]["containers"][0]


def test_scaling_by_hand_conflicts_with_the_applied_count(apply, apps, namespace, deployment):
    apply(deployment(replicas=1), "one")
    apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 3}}, field_manager="operator")
    with pytest.raises(client.ApiException) as caught:
        apply(deployment(replicas=2), "one")
    assert ".spec.replicas" in json.loads(caught.value.body)["message"]


def test_apply_needs_a_manager(apply):
    with pytest.raises(client.ApiException) as caught:
        apply(config_map(k="1"), "")
    status = json.loads(caught.value.body)
    assert (status["code"], status["details"]["causes"][0]["field"]) == (422, "fieldManager")


def test_a_dry_run_of_apply_leaves_nothing(apply, core, namespace):
    assert apply(config_map(k="1"), "one", dry_run="All")["data"] == {"k": "1"}
    with pytest.raises(client.ApiException, match="404"):
        core.read_namespaced_config_map("a", namespace)


def contested(apply, body, manager):
    """The fields over which an application conflicts."""
    with pytest.raises(client.ApiException) as caught:
        apply(body, manager)
    status = json.loads(caught.value.body)
    return [cause["field"] for cause in status["details"]["causes"]]


def test_conflicts_name_items_by_their_keys(apply, deployment):
    apply(deployment(image="one"), "one")
    other = deployment(image="two", replicas=5)
    other["metadata"]["labels"]["app"] = "other"
    assert sorted(contested(apply, other, "two")) == [
        ".metadata.labels.app",
        ".spec.replicas",
        '.spec.template.spec.containers[name="web"].image',
    ]


def test_an_item_dropped_by_its_only_owner_goes_and_shared_ones_stay(apply, deployment):
    apply(deployment(), "one")
    side = deployment(container={"name": "side", "image": "envoy", "ports": []})
    both = deployment()
    both["spec"]["template"]["spec"]["containers"] += side["spec"]["template"]["spec"]["containers"]
    apply(both, "two")
    left = apply(deployment(), "two")
    assert [each["name"] for each in left["spec"]["template"]["spec"]["containers"]] == ["web"]


def test_ports_of_a_service_merge_by_number_and_protocol(apply):
    def service(*ports):
        spec = {"selector": {"app": "web"}, "ports": list(ports)}
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}

    apply(service({"name": "http", "port": 80, "protocol": "TCP"}), "one")
    second = service({"name": "dns", "port": 80, "protocol": "UDP"})
    merged = apply(second, "two")
    assert {(port["name"], port["protocol"]) for port in merged["spec"]["ports"]} == {("http", "TCP"), ("dns", "UDP")}
    assert contested(apply, service({"name": "web", "port": 80, "protocol": "TCP"}), "two") == [
        '.spec.ports[port=80,protocol="TCP"].name'
    ]


def test_status_has_owners_of_its_own(apply, apps, namespace, deployment):
    made = apply(deployment(replicas=0), "one")
    condition = {"type": "Tested", "status": "True", "reason": "Test", "message": "by the suite"}
    body = {"status": {"conditions": [condition]}}
    apps.patch_namespaced_deployment_status("web", namespace, body, field_manager="tester")
    found = apps.api_client.sanitize_for_serialization(apps.read_namespaced_deployment("web", namespace))
    [entry] = owners(found, "tester")
    assert (entry["operation"], entry["subresource"], set(entry["fieldsV1"])) == ("Update", "status", {"f:status"})
    assert owners(found, "one")[0]["fieldsV1"] == owners(made, "one")[0]["fieldsV1"]


def test_ownership_is_given_up_by_an_empty_record(apply, core, namespace):
    apply(config_map(k="1"), "one")
    core.patch_namespaced_config_map("a", namespace, {"metadata": {"managedFields": [{}]}}, field_manager="editor")
    assert core.read_namespaced_config_map("a", namespace).metadata.managed_fields is None
    assert contested(apply, config_map(k="2"), "two") == [".data.k"]
    taken = apply(config_map(k="2"), "two", force=True)
    assert taken["data"] == {"k": "2"}
    assert all("f:k" not in entry["fieldsV1"]["f:data"] for entry in owners(taken, "before-first-apply"))


def test_creation_and_replacement_own_what_they_say(core, namespace):
    core.create_namespaced_config_map(namespace, config_map(k="1", other="x"), field_manager="maker")
    core.replace_namespaced_config_map("a", namespace, config_map(k="2", other="x"), field_manager="editor")
    found = core.api_client.sanitize_for_serialization(core.read_namespaced_config_map("a", namespace))
    assert [entry["fieldsV1"] for entry in owners(found, "editor")] == [{"f:data": {"f:k": {}}}]
    [made] = owners(found, "maker")
    # The real server records, too, that the map itself was made.
    assert set(made["fieldsV1"]["f:data"]) - {"."} == {"f:other"}


def scaled(apps, namespace, replicas):
    apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": replicas}}, field_manager="operator")
    return apps.api_client.sanitize_for_serialization(apps.read_namespaced_deployment("web", namespace))


def test_a_count_is_owned_through_the_scale(apply, apps, namespace, deployment):
    apply(deployment(replicas=1), "one")
    [entry] = owners(scaled(apps, namespace, 3), "operator")
    assert (entry["subresource"], entry["fieldsV1"]) == ("scale", {"f:spec": {"f:replicas": {}}})


def test_a_count_that_nobody_owned_stays_so_when_it_is_scaled(apply, apps, namespace, deployment):
    bare = deployment()
    del bare["spec"]["replicas"]
    apply(bare, "one")
    assert owners(scaled(apps, namespace, 3), "operator") == []
    assert apply(bare, "one")["spec"]["replicas"] == 3


def test_an_annotation_owned_by_nobody_else_goes_with_its_owner(apply):
    noted = config_map(k="1")
    noted["metadata"]["annotations"] = {"example.com/note": "a"}
    apply(noted, "one")
    assert "annotations" not in apply(config_map(k="1"), "one")["metadata"]


def test_applying_with_a_stale_revision_conflicts(apply, core, namespace):
    stale = config_map(k="2")
    stale["metadata"]["resourceVersion"] = apply(config_map(k="1"), "one")["metadata"]["resourceVersion"]
    core.patch_namespaced_config_map("a", namespace, {"data": {"other": "y"}})
    with pytest.raises(client.ApiException) as caught:
        apply(stale, "one")
    assert caught.value.status == 409
