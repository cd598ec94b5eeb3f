"""Of the sandbox: a pod waits for the ConfigMaps and Secrets that it refers to, as a kubelet makes it wait.

Where the control plane is real no kubelet runs, and kwok starts every pod at once.
"""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.parametrize("kubeconfig", ["sandbox"], indirect=True)

KEY = {"name": "settings", "key": "host"}
CASES = {
    "env_from": ({"envFrom": [{"configMapRef": {"name": "settings"}}]}, {}, "CreateContainerConfigError"),
    "env": ({"env": [{"name": "H", "valueFrom": {"configMapKeyRef": KEY}}]}, {}, "CreateContainerConfigError"),
    "volume": ({}, {"volumes": [{"name": "v", "configMap": {"name": "settings"}}]}, "ContainerCreating"),
    "projected": (
        {},
        {"volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "settings"}}]}}]},
        "ContainerCreating",
    ),
}


def waiting_reason(core, namespace):
    pods = core.list_namespaced_pod(namespace).items
    states = [status.state.waiting for pod in pods for status in pod.status.container_statuses or []]
    return states[0].reason if states and states[0] else None


def is_available(apps, namespace):
    return apps.read_namespaced_deployment("web", namespace).status.available_replicas == 1


@pytest.mark.parametrize(("container", "pod", "reason"), CASES.values(), ids=CASES)
def test_a_pod_waits_for_a_config_map(apps, core, namespace, deployment, eventually, container, pod, reason):
    apps.create_namespaced_deployment(namespace, deployment(replicas=1, container=container, **pod))
    assert eventually(lambda: waiting_reason(core, namespace)) == reason
    assert not is_available(apps, namespace)
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "settings"}, "data": {"host": "db"}})
    eventually(lambda: is_available(apps, namespace))


def test_a_pod_waits_for_the_key_of_a_secret(apps, core, namespace, deployment, eventually):
    core.create_namespaced_secret(namespace, {"metadata": {"name": "settings"}, "stringData": {"user": "u"}})
    variable = {"name": "H", "valueFrom": {"secretKeyRef": KEY}}
    apps.create_namespaced_deployment(namespace, deployment(replicas=1, container={"env": [variable]}))
    eventually(lambda: waiting_reason(core, namespace) == "CreateContainerConfigError")
    messages = [event.message for event in core.list_namespaced_event(namespace).items]
    assert f"Error: couldn't find key host in Secret {namespace}/settings" in messages
    core.patch_namespaced_secret("settings", namespace, {"stringData": {"host": "db"}})
    eventually(lambda: is_available(apps, namespace))


def test_an_optional_reference_does_not_matter(apps, namespace, deployment, eventually):
    source = {"configMapRef": {"name": "settings", "optional": True}}
    apps.create_namespaced_deployment(namespace, deployment(replicas=1, container={"envFrom": [source]}))
    eventually(lambda: is_available(apps, namespace))


def test_a_pod_without_its_service_account_is_not_made(apps, core, namespace, deployment, eventually):
    apps.create_namespaced_deployment(namespace, deployment(replicas=1, serviceAccountName="robot"))
    events = eventually(lambda: [e for e in core.list_namespaced_event(namespace).items if e.reason == "FailedCreate"])
    assert 'serviceaccount "robot" not found' in events[0].message
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "robot"}})
    eventually(lambda: is_available(apps, namespace))


def test_ready_says_whose_word_it_is(apps, core, namespace, deployment, eventually):
    apps.create_namespaced_deployment(namespace, deployment(replicas=1))
    eventually(lambda: is_available(apps, namespace))
    [pod] = core.list_namespaced_pod(namespace).items
    ready = next(each for each in pod.status.conditions if each.type == "Ready")
    assert ready.message == "Ready is the sandbox's word: no container runs"
    assert "Created" in {event.reason for event in core.list_namespaced_event(namespace).items}
