"""Of the sandbox: the store's history, and watches that come too late for it."""

from __future__ import annotations

import asyncio

import pytest

from groundplan_sandbox.kubernetes.kinds import CONFIG_MAP
from groundplan_sandbox.kubernetes.listing import Scope, WatchRequest, watch
from groundplan_sandbox.kubernetes.store import HISTORY_LENGTH, Store, TooOldError


def config_map(value):
    metadata = {"name": "a", "namespace": "default", "uid": "u"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"k": str(value)}}


@pytest.fixture
def long_lived():
    store = Store()
    for value in range(HISTORY_LENGTH + 2):
        store.put(CONFIG_MAP, config_map(value))
    return store


def test_history_is_bounded(long_lived):
    assert len(long_lived.changes_since(long_lived.revision - 3)) == 3
    with pytest.raises(TooOldError):
        long_lived.changes_since(2)


def test_a_watch_that_comes_too_late_is_told_so(long_lived):
    async def first():
        request = WatchRequest(scope=Scope(kind=CONFIG_MAP, namespace=None), revision="2")
        return [event async for event in watch(long_lived, request, asyncio.Event())]

    [event] = asyncio.run(first())
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_no_change_is_lost_between_listing_and_watching():
    store = Store()
    for value in range(5):
        store.put(CONFIG_MAP, config_map(value))
    assert [change.object["data"]["k"] for change in store.changes_since(3)] == ["2", "3", "4"]


def test_a_saved_store_is_loaded_whole(tmp_path):
    store, again = Store(), Store()
    stored = store.put(CONFIG_MAP, config_map(1))
    store.save(tmp_path / "state.json")
    again.load(tmp_path / "state.json")
    assert again.get(CONFIG_MAP, "default", "a") == stored
    assert again.revision == store.revision
