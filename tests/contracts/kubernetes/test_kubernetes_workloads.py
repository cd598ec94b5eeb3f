"""Contract: what the controllers make of Deployments, StatefulSets, DaemonSets, Jobs, and Services."""

from __future__ import annotations

import pytest
from kubernetes import client


@pytest.fixture
def available(apps, namespace, eventually):
    """Wait until a Deployment has rolled out; returns it."""

    def wait(name="web"):
        def probe():
            item = apps.read_namespaced_deployment(name, namespace)
            status = item.status
            if status.observed_generation != item.metadata.generation:
                return None
            counts = {status.replicas, status.updated_replicas, status.available_replicas}
            return item if counts == {item.spec.replicas} else None

        return eventually(probe)

    return wait


def conditions(item):
    return {each.type: each.status for each in item.status.conditions}


def pods_of(core, namespace, app="web"):
    return core.list_namespaced_pod(namespace, label_selector=f"app={app}").items


def test_a_deployment_becomes_available(apps, core, namespace, deployment, available):
    apps.create_namespaced_deployment(namespace, deployment())
    item = available()
    assert conditions(item) == {"Available": "True", "Progressing": "True"}
    pods = pods_of(core, namespace)
    assert len(pods) == 2
    assert {pod.status.phase for pod in pods} == {"Running"}
    assert all(pod.spec.node_name and pod.status.pod_ip for pod in pods)


def test_a_rollout_replaces_every_pod_and_keeps_the_old_set(apps, core, namespace, deployment, available, eventually):
    apps.create_namespaced_deployment(namespace, deployment())
    available()
    before = {pod.metadata.uid for pod in pods_of(core, namespace)}
    apps.patch_namespaced_deployment(
        "web",
        namespace,
        {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "nginx:1.28"}]}}}},
    )
    item = available()
    assert item.metadata.annotations["deployment.kubernetes.io/revision"] == "2"
    pods = eventually(lambda: [p for p in pods_of(core, namespace) if p.metadata.uid not in before])
    assert {pod.spec.containers[0].image for pod in pods} == {"nginx:1.28"}
    sizes = [each.spec.replicas for each in apps.list_namespaced_replica_set(namespace).items]
    assert sorted(sizes) == [0, 2]


def test_going_back_to_a_template_reuses_its_set(apps, namespace, deployment, available):
    apps.create_namespaced_deployment(namespace, deployment(image="one"))
    available()
    for image in ("two", "one"):
        apps.replace_namespaced_deployment("web", namespace, deployment(image=image))
        item = available()
    assert item.metadata.annotations["deployment.kubernetes.io/revision"] == "3"
    assert len(apps.list_namespaced_replica_set(namespace).items) == 2


def test_recreate_ends_the_old_pods_first(apps, core, namespace, deployment, available):
    body = deployment()
    body["spec"]["strategy"] = {"type": "Recreate"}
    apps.create_namespaced_deployment(namespace, body)
    available()
    body["spec"]["template"]["spec"]["containers"][0]["image"] = "new"
    apps.replace_namespaced_deployment("web", namespace, body)
    available()
    assert {pod.spec.containers[0].image for pod in pods_of(core, namespace)} == {"new"}


def test_scaling_down_removes_pods(apps, core, namespace, deployment, available, eventually):
    apps.create_namespaced_deployment(namespace, deployment(replicas=3))
    available()
    apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 1}})
    available()
    eventually(lambda: len(pods_of(core, namespace)) == 1)


def test_a_deleted_pod_comes_back(apps, core, namespace, deployment, available, eventually):
    apps.create_namespaced_deployment(namespace, deployment(replicas=1))
    available()
    [pod] = pods_of(core, namespace)
    core.delete_namespaced_pod(pod.metadata.name, namespace)
    eventually(lambda: [p.metadata.uid for p in pods_of(core, namespace)] not in ([], [pod.metadata.uid]))
    available()


def test_a_paused_deployment_does_not_roll(apps, core, namespace, deployment, available):
    apps.create_namespaced_deployment(namespace, deployment(image="one"))
    available()
    body = deployment(image="two")
    body["spec"]["paused"] = True
    apps.replace_namespaced_deployment("web", namespace, body)
    assert {pod.spec.containers[0].image for pod in pods_of(core, namespace)} == {"one"}
    apps.patch_namespaced_deployment("web", namespace, {"spec": {"paused": False}})
    available()
    assert {pod.spec.containers[0].image for pod in pods_of(core, namespace)} == {"two"}


def test_a_rollout_that_gets_nowhere_is_called_late(apps, namespace, deployment, eventually):
    body = deployment(nodeSelector={"disk": "none-has-it"})
    body["spec"]["progressDeadlineSeconds"] = 1
    apps.create_namespaced_deployment(namespace, body)

    def late():
        found = apps.read_namespaced_deployment("web", namespace).status.conditions or []
        return [each for each in found if each.type == "Progressing" and each.reason == "ProgressDeadlineExceeded"]

    assert eventually(late)[0].status == "False"


def test_a_service_has_an_address_and_finds_ready_pods(apps, core, api, namespace, deployment, available, eventually):
    port = {"port": 80, "targetPort": "http"}
    made = core.create_namespaced_service(
        namespace, {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [port]}}
    )
    assert made.spec.cluster_ip.startswith("10.")
    apps.create_namespaced_deployment(namespace, deployment())
    available()
    addresses = {pod.status.pod_ip for pod in pods_of(core, namespace)}

    def found():
        slices = client.DiscoveryV1Api(api).list_namespaced_endpoint_slice(
            namespace, label_selector="kubernetes.io/service-name=web"
        )
        ready = [each for item in slices.items for each in item.endpoints or [] if each.conditions.ready]
        ports = {port.port for item in slices.items for port in item.ports or []}
        return {each.addresses[0] for each in ready} == addresses and ports == {8080}

    eventually(found)


def test_services_get_ports_and_balancers(core, namespace, eventually):
    for name, service_type in (("node", "NodePort"), ("edge", "LoadBalancer")):
        spec = {"type": service_type, "selector": {"app": "web"}, "ports": [{"port": 80}]}
        made = core.create_namespaced_service(namespace, {"metadata": {"name": name}, "spec": spec})
        assert 30000 <= made.spec.ports[0].node_port <= 32767
    status = eventually(lambda: core.read_namespaced_service("edge", namespace).status.load_balancer.ingress)
    assert status[0].ip


def test_a_cluster_address_is_given_once(core, namespace):
    def body(name, **spec):
        return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}

    first = core.create_namespaced_service(namespace, body("one"))
    with pytest.raises(client.ApiException, match="already allocated"):
        core.create_namespaced_service(namespace, body("two", clusterIP=first.spec.cluster_ip))


def test_a_stateful_set_numbers_its_pods_and_claims(apps, core, namespace, deployment, eventually):
    body = deployment(name="db") | {"kind": "StatefulSet"}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    body["spec"] |= {"serviceName": "db", "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}]}
    apps.create_namespaced_stateful_set(namespace, body)
    eventually(lambda: apps.read_namespaced_stateful_set("db", namespace).status.ready_replicas == 2)
    assert [pod.metadata.name for pod in pods_of(core, namespace, "db")] == ["db-0", "db-1"]
    claims = core.list_namespaced_persistent_volume_claim(namespace).items
    assert {(each.metadata.name, each.status.phase) for each in claims} == {
        ("data-db-0", "Bound"),
        ("data-db-1", "Bound"),
    }
    apps.patch_namespaced_stateful_set("db", namespace, {"spec": {"template": {"metadata": {"labels": {"v": "2"}}}}})
    eventually(lambda: [pod.metadata.labels.get("v") for pod in pods_of(core, namespace, "db")] == ["2", "2"])
    eventually(
        lambda: (s := apps.read_namespaced_stateful_set("db", namespace).status).current_revision == s.update_revision
    )


def test_a_daemon_set_runs_on_the_node(apps, namespace, deployment, eventually):
    body = deployment(name="agent") | {"kind": "DaemonSet"}
    del body["spec"]["replicas"]
    apps.create_namespaced_daemon_set(namespace, body)
    eventually(lambda: apps.read_namespaced_daemon_set("agent", namespace).status.number_available == 1)


def test_a_job_completes(api, namespace, eventually):
    batch = client.BatchV1Api(api)
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}
    body = {"metadata": {"name": "once"}, "spec": {"completions": 3, "parallelism": 2, "template": {"spec": pod}}}
    batch.create_namespaced_job(namespace, body)
    job = eventually(lambda: (j := batch.read_namespaced_job("once", namespace)).status.completion_time and j)
    assert job.status.succeeded == 3
    assert conditions(job)["Complete"] == "True"


def test_events_tell_what_happened(apps, core, namespace, deployment, available):
    apps.create_namespaced_deployment(namespace, deployment(replicas=1))
    available()
    reasons = {event.reason for event in core.list_namespaced_event(namespace).items}
    assert {"ScalingReplicaSet", "SuccessfulCreate", "Scheduled"} <= reasons
