"""Contract: deletion: cascades, finalizers, preconditions, namespaces."""

from __future__ import annotations

import pytest
from kubernetes import client


@pytest.fixture
def workload(apps, core, namespace, deployment, eventually):
    apps.create_namespaced_deployment(namespace, deployment(replicas=1))
    eventually(lambda: core.list_namespaced_pod(namespace).items)


def left(apps, core, namespace):
    sets, pods = apps.list_namespaced_replica_set(namespace).items, core.list_namespaced_pod(namespace).items
    return len(sets), len(pods)


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_dependents_go_with_their_owner(apps, core, namespace, workload, eventually, policy):
    apps.delete_namespaced_deployment("web", namespace, propagation_policy=policy)
    eventually(lambda: left(apps, core, namespace) == (0, 0))
    eventually(lambda: not apps.list_namespaced_deployment(namespace).items)


def test_orphans_stay(apps, core, namespace, workload, eventually):
    apps.delete_namespaced_deployment("web", namespace, propagation_policy="Orphan")
    eventually(lambda: not apps.list_namespaced_deployment(namespace).items)
    [orphan] = apps.list_namespaced_replica_set(namespace).items
    assert orphan.metadata.owner_references is None
    assert left(apps, core, namespace) == (1, 1)


def test_a_finalizer_holds_an_object(core, namespace):
    metadata = {"name": "held", "finalizers": ["example.com/hold"]}
    core.create_namespaced_config_map(namespace, {"metadata": metadata})
    core.delete_namespaced_config_map("held", namespace)
    assert core.read_namespaced_config_map("held", namespace).metadata.deletion_timestamp
    core.patch_namespaced_config_map("held", namespace, {"metadata": {"finalizers": None}})
    with pytest.raises(client.ApiException, match="404"):
        core.read_namespaced_config_map("held", namespace)


def test_a_deletion_may_ask_for_one_object_only(core, namespace):
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "a"}})
    body = {"preconditions": {"uid": "another"}}
    with pytest.raises(client.ApiException) as caught:
        core.delete_namespaced_config_map("a", namespace, body=body)
    assert caught.value.status == 409


def test_a_collection_is_deleted_by_selector(core, namespace):
    for name, on in (("a", "y"), ("b", "n")):
        core.create_namespaced_config_map(namespace, {"metadata": {"name": name, "labels": {"on": on}}})
    core.delete_collection_namespaced_config_map(namespace, label_selector="on=y")
    left = core.list_namespaced_config_map(namespace, label_selector="on").items
    assert [item.metadata.name for item in left] == ["b"]


def test_a_namespace_takes_its_content_along(apps, core, namespace, workload, eventually):
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "a"}})
    core.delete_namespace(namespace)
    eventually(lambda: namespace not in [item.metadata.name for item in core.list_namespace().items])
    core.create_namespace({"metadata": {"name": namespace}})
    eventually(lambda: core.list_namespaced_service_account(namespace).items)
    assert left(apps, core, namespace) == (0, 0)
    with pytest.raises(client.ApiException, match="404"):
        core.read_namespaced_config_map("a", namespace)


def test_a_held_namespace_takes_no_new_objects(core, namespace, eventually):
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}})
    core.delete_namespace(namespace)
    assert core.read_namespace(namespace).status.phase == "Terminating"
    with pytest.raises(client.ApiException, match="being terminated"):
        core.create_namespaced_config_map(namespace, {"metadata": {"name": "new"}})
    core.patch_namespaced_config_map("held", namespace, {"metadata": {"finalizers": None}})
    eventually(lambda: namespace not in [item.metadata.name for item in core.list_namespace().items])


def test_the_default_namespace_stays(core):
    with pytest.raises(client.ApiException, match="403"):
        core.delete_namespace("default")
