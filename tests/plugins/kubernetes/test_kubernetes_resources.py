"""Objects of a cluster as nodes: made once, found again, deleted with what they own, never taken from others."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from groundplan.runtime.calls import Calls
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.testing import BenchContext, run_twice
from groundplan_kubernetes import resources
from groundplan_kubernetes.ownership import OWNER, mark_of

from .conftest import Bench, Definition

Installed = Callable[..., BenchContext]


def is_there(core: client.CoreV1Api, namespace: str, name: str) -> bool:
    return any(item.metadata.name == name for item in core.list_namespaced_config_map(namespace).items)


def test_an_object_is_applied_noted_and_deleted(
    bench: Bench, core: client.CoreV1Api, namespace: str, config_map: Definition
) -> None:
    ctx = bench.node(config_map(colour="blue"))
    resources.create(ctx)
    made = core.read_namespaced_config_map("settings", namespace)
    assert made.data == {"colour": "blue"}
    assert made.metadata.annotations[OWNER] == mark_of(ctx)
    noted = ctx.instance.runtime_properties["kubernetes"]
    assert isinstance(noted, dict)
    assert (noted["kind"], noted["metadata"]["uid"]) == ("ConfigMap", made.metadata.uid)
    resources.delete(ctx)
    assert not is_there(core, namespace, "settings")
    assert ctx.instance.runtime_properties == {}


def test_requests_are_told_without_what_they_carry(bench: Bench, config_map: Definition) -> None:
    calls = Calls(traceparent=str)
    with calls.collecting():
        resources.create(bench.node(config_map(colour="a word of mine")))
    told = calls.masked(str)
    assert {"kubernetes GET", "kubernetes PATCH"} <= {it.name for it in told}
    assert any(str(it.attributes["url.path"]).endswith("/configmaps/settings") for it in told)
    assert "a word of mine" not in str(told)


def test_every_operation_can_be_repeated(bench: Bench, deployment: Definition) -> None:
    first, second = run_twice(resources.create, bench.node(deployment()))
    assert first["kubernetes"]["metadata"]["uid"] == second["kubernetes"]["metadata"]["uid"]
    for operation in (resources.read, resources.pull, resources.update, resources.check_status, resources.check_drift):
        run_twice(operation, bench.node(deployment(), runtime=second))
    run_twice(resources.delete, bench.node(deployment(), runtime=second))


def test_an_object_of_somebody_else_is_refused_and_left_alone(
    bench: Bench, core: client.CoreV1Api, namespace: str, config_map: Definition
) -> None:
    core.create_namespaced_config_map(namespace, config_map(colour="theirs"))
    ctx = bench.node(config_map(colour="ours"))
    with pytest.raises(NonRecoverableError, match="was not made by this deployment"):
        resources.create(ctx)
    resources.delete(ctx)
    assert core.read_namespaced_config_map("settings", namespace).data == {"colour": "theirs"}
    assert any("left alone" in message for _, message in ctx.log)


def test_another_instances_object_is_refused_by_its_name(
    bench: Bench, core: client.CoreV1Api, namespace: str, config_map: Definition
) -> None:
    theirs = config_map()
    theirs["metadata"]["annotations"] = {OWNER: "shop/db_1"}
    core.create_namespaced_config_map(namespace, theirs)
    with pytest.raises(NonRecoverableError, match="belongs to shop/db_1"):
        resources.create(bench.node(config_map()))


def test_an_external_object_is_found_and_kept(
    bench: Bench, core: client.CoreV1Api, namespace: str, config_map: Definition
) -> None:
    core.create_namespaced_config_map(namespace, config_map(colour="theirs"))
    ctx = bench.node(config_map(colour="ours"), use_external_resource=True)
    for operation in (resources.create, resources.read, resources.update, resources.check_drift, resources.delete):
        operation(ctx)
    kept = core.read_namespaced_config_map("settings", namespace)
    assert kept.data == {"colour": "theirs"}
    assert not kept.metadata.annotations


def test_an_external_object_must_be_there(bench: Bench, config_map: Definition) -> None:
    with pytest.raises(NonRecoverableError, match="declared external"):
        resources.create(bench.node(config_map(), use_external_resource=True))


def test_a_missing_external_object_is_made_when_asked_and_stays(
    bench: Bench, core: client.CoreV1Api, namespace: str, config_map: Definition
) -> None:
    ctx = bench.node(config_map(), use_external_resource=True, create_if_missing=True)
    run_twice(resources.create, ctx)
    resources.delete(ctx)
    assert is_there(core, namespace, "settings")


def test_an_object_that_may_exist_is_used_and_not_deleted(
    bench: Bench, core: client.CoreV1Api, namespace: str, config_map: Definition
) -> None:
    core.create_namespaced_config_map(namespace, config_map(colour="theirs"))
    ctx = bench.node(config_map(colour="ours"), use_if_exists=True)
    resources.create(ctx)
    resources.delete(ctx)
    assert core.read_namespaced_config_map("settings", namespace).data == {"colour": "theirs"}


def test_the_namespace_comes_from_options_when_the_definition_names_none(
    bench: Bench, core: client.CoreV1Api, namespace: str, config_map: Definition
) -> None:
    definition = config_map()
    del definition["metadata"]["namespace"]
    resources.create(bench.node(definition, options={"namespace": namespace}))
    assert is_there(core, namespace, "settings")


def test_a_namespace_goes_with_what_is_in_it(bench: Bench, core: client.CoreV1Api) -> None:
    ctx = bench.node({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "whole"}})
    resources.create(ctx)
    core.create_namespaced_config_map("whole", {"metadata": {"name": "inside"}})
    resources.delete(ctx)
    with pytest.raises(ApiException, match="404"):
        core.read_namespace("whole")


def test_a_deployment_goes_with_its_pods(
    installed: Installed, core: client.CoreV1Api, namespace: str, deployment: Definition
) -> None:
    ctx = installed(deployment())
    assert core.list_namespaced_pod(namespace).items
    resources.delete(ctx)
    assert not core.list_namespaced_pod(namespace).items


def test_what_an_object_owns_may_be_left_behind(
    installed: Installed, core: client.CoreV1Api, namespace: str, deployment: Definition
) -> None:
    ctx = installed(deployment(), options={"propagation_policy": "Orphan", "grace_period_seconds": 0})
    resources.delete(ctx)
    assert core.list_namespaced_pod(namespace).items


def test_deleting_what_is_gone_is_done(bench: Bench, config_map: Definition) -> None:
    resources.delete(bench.node(config_map()))


def test_what_was_noted_is_deleted_though_the_node_names_another(
    bench: Bench, core: client.CoreV1Api, namespace: str, config_map: Definition
) -> None:
    before = bench.node(config_map("before"))
    resources.create(before)
    resources.delete(bench.node(config_map("after"), runtime=before.instance.runtime_properties))
    assert not is_there(core, namespace, "before")


def test_creating_waits_until_a_namesake_that_is_being_deleted_has_gone(
    bench: Bench, core: client.CoreV1Api, namespace: str, config_map: Definition
) -> None:
    held = config_map(colour="old")
    held["metadata"]["finalizers"] = ["example.com/held"]
    core.create_namespaced_config_map(namespace, held)
    core.delete_namespaced_config_map("settings", namespace)
    release = {"metadata": {"finalizers": None}}
    bench.before_sleep.append(lambda: core.patch_namespaced_config_map("settings", namespace, release))
    resources.create(bench.node(config_map(colour="new")))
    assert core.read_namespaced_config_map("settings", namespace).data == {"colour": "new"}


def test_creating_in_a_namespace_that_goes_may_be_tried_again(
    bench: Bench, core: client.CoreV1Api, config_map: Definition
) -> None:
    core.create_namespace({"metadata": {"name": "going", "finalizers": ["example.com/held"]}})
    core.delete_namespace("going")
    definition = config_map()
    definition["metadata"]["namespace"] = "going"
    with pytest.raises(RecoverableError, match="being terminated"):
        resources.create(bench.node(definition))
    core.patch_namespace("going", {"metadata": {"finalizers": None}})


def test_creating_in_a_namespace_that_is_not_there_yet_may_be_tried_again(bench: Bench, config_map: Definition) -> None:
    definition = config_map()
    definition["metadata"]["namespace"] = "nowhere"
    with pytest.raises(RecoverableError, match='namespaces "nowhere" not found'):
        resources.create(bench.node(definition))


def test_an_update_changes_the_object_and_keeps_it(
    bench: Bench, core: client.CoreV1Api, namespace: str, installed: Installed, config_map: Definition
) -> None:
    ctx = installed(config_map(colour="blue", size="big"))
    uid = core.read_namespaced_config_map("settings", namespace).metadata.uid
    resources.update(bench.node(config_map(colour="red"), runtime=ctx.instance.runtime_properties))
    changed = core.read_namespaced_config_map("settings", namespace)
    assert (changed.data, changed.metadata.uid) == ({"colour": "red"}, uid)


def test_an_update_drops_what_the_node_no_longer_stands_for(
    bench: Bench, core: client.CoreV1Api, namespace: str, installed: Installed, config_map: Definition
) -> None:
    ctx = installed(config_map("before"))
    resources.update(bench.node(config_map("after"), runtime=ctx.instance.runtime_properties))
    assert is_there(core, namespace, "after")
    assert not is_there(core, namespace, "before")


def test_an_update_drops_nothing_unless_it_may(
    bench: Bench, core: client.CoreV1Api, namespace: str, installed: Installed, config_map: Definition
) -> None:
    runtime = installed(config_map("before")).instance.runtime_properties
    with pytest.raises(NonRecoverableError, match="allow_node_redefinition"):
        resources.update(bench.node(config_map("after"), runtime=runtime, allow_node_redefinition=False))
    assert is_there(core, namespace, "before")


def test_an_update_keeps_an_object_without_a_namespace(bench: Bench, core: client.CoreV1Api) -> None:
    ctx = bench.node(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kept"}}, options={"namespace": "other"}
    )
    resources.create(ctx)
    uid = core.read_namespace("kept").metadata.uid
    resources.update(ctx)
    assert core.read_namespace("kept").metadata.uid == uid
    resources.delete(ctx)


def test_a_secrets_content_is_neither_noted_nor_logged(
    bench: Bench, core: client.CoreV1Api, namespace: str, installed: Installed
) -> None:
    metadata = {"name": "login", "namespace": namespace}
    content = {"password": "swordfish"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": content}
    ctx = installed(secret)
    resources.update(ctx)
    resources.check_drift(ctx)
    told = f"{ctx.instance.runtime_properties}{ctx.log}{ctx.events}"
    assert core.read_namespaced_secret("login", namespace).data == {"password": "c3dvcmRmaXNo"}
    assert "swordfish" not in told
    assert "c3dvcmRmaXNo" not in told


def test_an_external_secrets_content_is_not_noted_from_its_copy(
    bench: Bench, core: client.CoreV1Api, namespace: str
) -> None:
    copy = {"kubectl.kubernetes.io/last-applied-configuration": '{"stringData": {"password": "swordfish"}}'}
    metadata = {"name": "login", "namespace": namespace, "annotations": {**copy, "team": "shop"}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"password": "swordfish"}}
    core.create_namespaced_secret(namespace, secret)
    ctx = bench.node(secret, use_external_resource=True)
    resources.create(ctx)
    noted: Any = ctx.instance.runtime_properties["kubernetes"]
    assert noted["metadata"]["annotations"] == {"team": "shop"}
    assert "swordfish" not in str(noted)


def test_drift_names_the_fields_that_somebody_changed(
    installed: Installed, core: client.CoreV1Api, namespace: str, config_map: Definition
) -> None:
    ctx = installed(config_map(colour="blue"))
    assert resources.check_drift(ctx) == {}
    core.patch_namespaced_config_map("settings", namespace, {"data": {"colour": "red", "extra": "theirs"}})
    assert resources.check_drift(ctx) == {"ConfigMap settings": ["data.colour"]}
    assert core.read_namespaced_config_map("settings", namespace).data["colour"] == "red"
    core.delete_namespaced_config_map("settings", namespace)
    assert resources.check_drift(ctx) == {"ConfigMap settings": ["is gone"]}


def scaled_by_hand(core: client.CoreV1Api, namespace: str) -> None:
    apps = client.AppsV1Api(core.api_client)
    apps.patch_namespaced_deployment("app", namespace, {"spec": {"replicas": 3}}, field_manager="operator")


def test_what_others_manage_is_taken_back_with_a_warning(
    installed: Installed, core: client.CoreV1Api, namespace: str, deployment: Definition
) -> None:
    ctx = installed(deployment(replicas=1))
    scaled_by_hand(core, namespace)
    resources.update(ctx)
    assert ("warning", "Deployment app: spec.replicas is managed by operator; it is taken over") in ctx.log
    assert client.AppsV1Api(core.api_client).read_namespaced_deployment("app", namespace).spec.replicas == 1


def test_what_others_manage_stays_theirs_where_the_author_says_so(
    installed: Installed, core: client.CoreV1Api, namespace: str, deployment: Definition
) -> None:
    ctx = installed(deployment(replicas=1), options={"force_conflicts": False})
    scaled_by_hand(core, namespace)
    with pytest.raises(NonRecoverableError, match=r"spec\.replicas is managed by operator; leave that out"):
        resources.update(ctx)
    assert client.AppsV1Api(core.api_client).read_namespaced_deployment("app", namespace).spec.replicas == 3


def test_a_custom_resource_is_served_when_its_definition_is_there(
    bench: Bench, core: client.CoreV1Api, namespace: str, installed: Installed
) -> None:
    group = f"{namespace}.example.com"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "carts", "kind": "Cart"}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    kind = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}
    definition = installed(kind | {"metadata": {"name": f"carts.{group}"}})
    metadata = {"name": "mine", "namespace": namespace}
    cart = installed({"apiVersion": f"{group}/v1", "kind": "Cart", "metadata": metadata, "spec": {"wheels": 4}})
    assert (resources.check_status(cart), resources.check_drift(cart)) == ({"Cart mine": "ready"}, {})
    objects = client.CustomObjectsApi(core.api_client)
    objects.patch_namespaced_custom_object(group, "v1", namespace, "carts", "mine", {"spec": {"wheels": 3}})
    assert resources.check_drift(cart) == {"Cart mine": ["spec.wheels"]}
    resources.delete(cart)
    resources.delete(definition)
    with pytest.raises(RecoverableError, match="applying Cart mine"):
        resources.create(cart)


def test_pulling_notes_the_object_as_it_is_now(
    installed: Installed, core: client.CoreV1Api, namespace: str, config_map: Definition
) -> None:
    ctx = installed(config_map())
    core.patch_namespaced_config_map("settings", namespace, {"metadata": {"labels": {"seen": "yes"}}})
    resources.pull(ctx)
    assert ctx.instance.runtime_properties["kubernetes"]["metadata"]["labels"] == {"seen": "yes"}


def test_a_field_that_its_kind_lacks_is_final(bench: Bench, deployment: Definition) -> None:
    definition = deployment()
    definition["spec"]["replicsa"] = 2
    with pytest.raises(NonRecoverableError, match=r"spec\.replicsa: field not declared in schema"):
        resources.create(bench.node(definition))


def test_a_value_that_cannot_be_is_final(bench: Bench, deployment: Definition) -> None:
    with pytest.raises(NonRecoverableError, match="422"):
        resources.create(bench.node(deployment(replicas=-1)))


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"kind": "Deploymnet", "apiVersion": "apps/v1"}, NonRecoverableError),
        ({"apiVersion": "rbac.authorization.k8s.io/v9", "kind": "Role"}, NonRecoverableError),
        # It may come with a definition of custom resources that another node applies.
        ({"apiVersion": "shop.example.com/v1", "kind": "Cart"}, RecoverableError),
    ],
)
def test_a_kind_that_the_cluster_lacks_is_named(
    bench: Bench, config_map: Definition, changed: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error, match=f"knows no {changed['kind']} of {changed['apiVersion']}"):
        resources.create(bench.node(config_map() | changed))


def test_the_kind_may_come_from_the_nodes_type(bench: Bench, namespace: str, core: client.CoreV1Api) -> None:
    definition: dict[str, Any] = {"metadata": {"name": "typed", "namespace": namespace}}
    resources.create(bench.node(definition, node_type="cloudify.kubernetes.resources.ConfigMap"))
    assert is_there(core, namespace, "typed")


@pytest.mark.parametrize("definition", [{"kind": "ConfigMap"}, {"metadata": {"name": "kindless"}}])
def test_an_incomplete_definition_is_final(bench: Bench, definition: dict[str, Any]) -> None:
    with pytest.raises(NonRecoverableError, match=r"has no (metadata\.name|kind)"):
        resources.create(bench.node(definition))


def test_an_old_version_of_rbac_is_applied_as_its_successor(bench: Bench, namespace: str) -> None:
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1beta1",
        "kind": "Role",
        "metadata": {"name": "reader", "namespace": namespace},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    }
    ctx = bench.node(role)
    resources.create(ctx)
    assert ctx.instance.runtime_properties["kubernetes"]["apiVersion"] == "rbac.authorization.k8s.io/v1"
    assert any(level == "warning" and "v1beta1 is gone" in message for level, message in ctx.log)


def test_an_accounts_token_becomes_a_kubeconfig_that_opens_the_cluster(
    bench: Bench, namespace: str, installed: Installed
) -> None:
    installed({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer", "namespace": namespace}})
    annotations = {"kubernetes.io/service-account.name": "deployer"}
    metadata = {"name": "token", "namespace": namespace, "annotations": annotations}
    kind = "kubernetes.io/service-account-token"
    ctx = installed({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind})
    text = str(ctx.instance.runtime_properties["kubeconfig"])
    with config.new_client_from_config_dict(yaml.safe_load(text)) as api:
        review = client.AuthenticationV1Api(api).create_self_subject_review({})
    assert review.status.user_info.username == f"system:serviceaccount:{namespace}:deployer"
    assert yaml.safe_load(text)["users"][0]["user"]["token"] in ctx.masked


def test_tokens_of_shared_clusters_are_refused_in_words(bench: Bench) -> None:
    with pytest.raises(NonRecoverableError, match="service-account-token"):
        resources.refuse_token(bench.node())


@pytest.mark.parametrize("warm", [False, True])
def test_creating_takes_few_requests(bench: Bench, config_map: Definition, warm: bool) -> None:
    if warm:
        resources.create(bench.node(config_map("earlier")))
    ctx = bench.node(config_map())
    resources.create(ctx)
    [sent] = [message for _, message in ctx.log if message.endswith("requests to the cluster")]
    assert int(sent.split()[0]) <= (2 if warm else 3)
