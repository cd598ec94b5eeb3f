"""Contract: watches: what they begin with, what they follow, when they end."""

from __future__ import annotations

import threading

import pytest
from kubernetes import client, watch


def stream(core, namespace, **options):
    """Watch events of ConfigMaps in a namespace, without the one that every namespace has."""
    for event in watch.Watch().stream(core.list_namespaced_config_map, namespace, **options):
        if event["object"].metadata.name != "kube-root-ca.crt":
            yield event["type"], event["object"].metadata.name


def test_a_watch_without_a_revision_begins_with_what_is_there(core, namespace):
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "a"}})
    assert next(stream(core, namespace, timeout_seconds=5)) == ("ADDED", "a")


def test_a_watch_follows_from_a_revision(core, namespace):
    since = core.list_namespaced_config_map(namespace).metadata.resource_version
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "a"}})
    core.patch_namespaced_config_map("a", namespace, {"data": {"k": "v"}})
    core.delete_namespaced_config_map("a", namespace)
    events = stream(core, namespace, resource_version=since, timeout_seconds=5)
    assert [next(events) for _ in range(3)] == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_a_watch_streams_while_it_is_open(core, namespace):
    since = core.list_namespaced_config_map(namespace).metadata.resource_version
    body = {"metadata": {"name": "late"}}
    later = threading.Timer(0.2, core.create_namespaced_config_map, (namespace, body))
    later.start()
    assert next(stream(core, namespace, resource_version=since, timeout_seconds=5)) == ("ADDED", "late")
    later.join()


def test_an_object_that_leaves_the_selection_is_deleted_for_the_watch(core, namespace):
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "a", "labels": {"on": "y"}}})
    events = stream(core, namespace, label_selector="on=y", timeout_seconds=5)
    assert next(events) == ("ADDED", "a")
    core.patch_namespaced_config_map("a", namespace, {"metadata": {"labels": {"on": "n"}}})
    assert next(events) == ("DELETED", "a")


def test_a_watch_ends_at_its_timeout(core, namespace):
    assert list(stream(core, namespace, timeout_seconds=1)) == []


def test_bookmarks_end_the_initial_events(raw, namespace):
    query = [("watch", "true"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", "1")]
    query += [("sendInitialEvents", "true"), ("resourceVersionMatch", "NotOlderThan")]
    events = raw("GET", f"/api/v1/namespaces/{namespace}/configmaps", query=query, Accept="application/json")
    assert [event["type"] for event in events[:2]] == ["ADDED", "BOOKMARK"]
    assert events[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"


def test_a_revision_that_was_never_there_is_refused(core, namespace):
    with pytest.raises(client.ApiException):
        next(stream(core, namespace, resource_version="not-a-number", timeout_seconds=1))
