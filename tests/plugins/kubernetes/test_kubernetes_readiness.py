"""When an object is ready: by what its controllers say, waited for, and given up where waiting cannot help."""

from typing import Any

import pytest
from kubernetes import client

from groundplan.sdk.errors import NonRecoverableError, OperationRetry, RecoverableError
from groundplan_kubernetes import resources
from groundplan_kubernetes.readiness import why_never_ready, why_not_ready

from ...live.clusters import EMULATED
from .conftest import Bench, Definition

as_by_a_kubelet = pytest.mark.parametrize("served", [EMULATED], indirect=True)
"""The emulation makes pods wait as a kubelet does; where the control plane is real, none runs."""


@as_by_a_kubelet
def test_a_deployment_waits_for_its_config_map(
    bench: Bench, core: client.CoreV1Api, namespace: str, deployment: Definition, config_map: Definition
) -> None:
    ctx = bench.node(deployment(envFrom=[{"configMapRef": {"name": "settings"}}]))
    resources.create(ctx)
    with pytest.raises(NonRecoverableError, match="replicas are"):
        resources.check_status(ctx)
    bench.before_sleep.append(lambda: core.create_namespaced_config_map(namespace, config_map()))
    resources.read(ctx)
    assert resources.check_status(ctx) == {"Deployment app": "ready"}
    noted: Any = ctx.instance.runtime_properties["kubernetes"]
    assert noted["status"]["availableReplicas"] == 1
    assert any(message.startswith("Waiting for Deployment app: ") for _, message in ctx.log)


def test_a_node_may_choose_not_to_wait(bench: Bench, deployment: Definition) -> None:
    waits = deployment(envFrom=[{"configMapRef": {"name": "never"}}])
    ctx = bench.node(waits, validate_resource_status=False)
    resources.create(ctx)
    resources.read(ctx)
    assert ctx.slept == []


@as_by_a_kubelet
def test_waiting_ends_in_a_retry(bench: Bench, deployment: Definition) -> None:
    ctx = bench.node(deployment(envFrom=[{"configMapRef": {"name": "never"}}]))
    ctx.pause = None
    resources.create(ctx)
    with pytest.raises(OperationRetry, match="not ready after 600 s"):
        resources.read(ctx)
    assert 600 <= sum(ctx.slept) < 610
    assert len(ctx.slept) < 250


def test_waiting_ends_when_the_attempt_is_given_up(bench: Bench, deployment: Definition) -> None:
    ctx = bench.node(deployment(envFrom=[{"configMapRef": {"name": "never"}}]))
    resources.create(ctx)
    ctx.given_up = True
    with pytest.raises(RecoverableError, match="given up"):
        resources.read(ctx)


def test_a_load_balancer_gets_its_address(bench: Bench, namespace: str) -> None:
    metadata = {"name": "front", "namespace": namespace}
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"app": "app"}}
    ctx = bench.node({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    resources.create(ctx)
    resources.read(ctx)
    noted: Any = ctx.instance.runtime_properties["kubernetes"]
    assert noted["status"]["loadBalancer"]["ingress"][0]["ip"] == "127.0.0.1"


def test_an_object_that_went_away_is_not_waited_for(bench: Bench, config_map: Definition) -> None:
    with pytest.raises(NonRecoverableError, match="no ConfigMap settings"):
        resources.read(bench.node(config_map()))


def test_a_job_that_failed_is_final(bench: Bench, core: client.CoreV1Api, namespace: str) -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once", "namespace": namespace},
        "spec": {"suspend": True, "backoffLimit": 0, "template": {"spec": pod}},
    }
    ctx = bench.node(job)
    resources.create(ctx)
    failed = {"status": "True", "reason": "BackoffLimitExceeded", "message": "it failed too often"}
    conditions = [{"type": name, **failed} for name in ("FailureTarget", "Failed")]
    client.BatchV1Api(core.api_client).patch_namespaced_job_status(
        "once", namespace, {"status": {"startTime": "2026-01-01T00:00:00Z", "conditions": conditions}}
    )
    with pytest.raises(NonRecoverableError, match="Job once: BackoffLimitExceeded: it failed too often"):
        resources.read(ctx)


def item(kind: str, status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "x", "generation": 2}, "spec": spec, "status": status}


SEEN = {"observedGeneration": 2}
ROLLING = {"updateRevision": "b", "currentRevision": "a"}


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (item("Deployment", {"observedGeneration": 1}), "has not seen it"),
        (item("Deployment", {**SEEN, "updatedReplicas": 1}, replicas=2), "1 of 2 replicas are updated"),
        (item("Deployment", {**SEEN, "updatedReplicas": 1, "replicas": 2}), "old replicas"),
        (item("Deployment", {**SEEN, "updatedReplicas": 1, "replicas": 1}), "0 of 1 replicas are available"),
        (item("Deployment", SEEN, replicas=0), ""),
        (item("StatefulSet", {**SEEN, "readyReplicas": 1}, replicas=3), "1 of 3 replicas are ready"),
        (
            item(
                "StatefulSet", {**SEEN, "readyReplicas": 2, "updateRevision": "b", "currentRevision": "a"}, replicas=2
            ),
            "0 of 2 replicas are updated",
        ),
        (item("StatefulSet", {**SEEN, "readyReplicas": 2, "updatedReplicas": 2}, replicas=2), ""),
        (item("DaemonSet", {}), "has not seen it"),
        (item("DaemonSet", {**SEEN, "desiredNumberScheduled": 2, "updatedNumberScheduled": 1}), "1 of 2 pods are up"),
        (item("DaemonSet", {**SEEN, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1}), "0 of 1 pods are av"),
        (item("ReplicaSet", {**SEEN, "readyReplicas": 1}), ""),
        (item("Pod", {"phase": "Pending"}), "the pod is Pending"),
        (item("Pod", {"phase": "Succeeded"}), ""),
        (item("Job", {}), "has not completed"),
        (item("Namespace", {"phase": "Terminating"}), "Terminating"),
        (item("Service", {}, type="LoadBalancer"), "no address"),
        (item("CustomResourceDefinition", {}), "not served"),
        ({**item("Secret", {}), "type": "kubernetes.io/service-account-token"}, "no token yet"),
        ({**item("Secret", {}), "type": "Opaque"}, ""),
        (item("PersistentVolumeClaim", {"phase": "Pending"}), ""),
        (item("Role", {}), ""),
    ],
)
def test_what_an_object_still_misses(found: dict[str, Any], why: str) -> None:
    said = why_not_ready(found)
    assert (why in said) if why else (said == "")


@pytest.mark.parametrize(
    "found",
    [
        item("Deployment", {"conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]}),
        item("Pod", {"phase": "Failed"}),
        item("PersistentVolumeClaim", {"phase": "Lost"}),
    ],
)
def test_what_waiting_cannot_help(found: dict[str, Any]) -> None:
    assert why_never_ready(found)


def test_an_object_that_is_being_deleted_is_not_ready() -> None:
    assert why_not_ready({"kind": "Role", "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
