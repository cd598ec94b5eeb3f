"""Of the sandbox: one cluster's life: start, stop, start again, several side by side."""

from __future__ import annotations

import json
import socket
import time

import pytest
from kubernetes import client, config

from groundplan_sandbox.kubernetes.authentication import Tokens, User

from ...live.clusters import BOTH, EMULATED, maker
from ...proof.user import eventually


@pytest.fixture
def make_cluster(request):
    return maker(getattr(request, "param", EMULATED))


@pytest.fixture
def cluster(make_cluster, tmp_path):
    made = make_cluster("small", tmp_path / "small")
    yield made
    made.delete()


on_both = pytest.mark.parametrize("make_cluster", BOTH, indirect=True)
"""Whoever serves it: see `live.clusters`."""


@pytest.fixture
def connect(request):
    def run(cluster, place, **entry):
        document = cluster.kubeconfig(f"https://{place[0]}:{place[1]}", **entry)
        api = config.new_client_from_config_dict(document)
        request.addfinalizer(api.close)
        return client.CoreV1Api(api)

    return run


@on_both
def test_objects_outlive_a_stop(cluster, connect):
    [place] = cluster.start([("127.0.0.1", 0)], [])
    token = cluster.token("ann", ["developers"])
    before = connect(cluster, place).create_namespaced_config_map("default", {"metadata": {"name": "a"}})
    cluster.stop()
    assert not cluster.running
    cluster.start([place], [])
    after = connect(cluster, place).read_namespaced_config_map("a", "default")
    assert after.metadata.uid == before.metadata.uid
    restored = config.new_client_from_config_dict(_with_token(cluster, place, token))
    with restored:
        review = client.AuthenticationV1Api(restored).create_self_subject_review({})
    assert review.status.user_info.username == "ann"


def _with_token(cluster, place, token):
    document = cluster.kubeconfig(f"https://{place[0]}:{place[1]}")
    document["users"][0]["user"] = {"token": token}
    return document


def test_a_killed_cluster_keeps_what_was_written(cluster, connect, tmp_path):
    [place] = cluster.start([("127.0.0.1", 0)], [])
    connect(cluster, place).create_namespaced_config_map("default", {"metadata": {"name": "kept"}})
    state = tmp_path / "small" / "state.json"
    eventually(lambda: state.exists() and '"kept"' in state.read_text())


def test_a_damaged_state_is_said_to_be_one(cluster, tmp_path):
    (tmp_path / "small" / "state.json").write_text("{}")
    with pytest.raises(ValueError, match="is not a saved cluster"):
        cluster.start([("127.0.0.1", 0)], [])
    assert not cluster.running


def test_several_addresses_serve_one_cluster(cluster, connect):
    places = cluster.start([("127.0.0.1", 0), ("127.0.0.2", 0)], [])
    connect(cluster, places[0]).create_namespaced_config_map("default", {"metadata": {"name": "a"}})
    assert connect(cluster, places[1]).read_namespaced_config_map("a", "default").metadata.name == "a"


@on_both
def test_the_first_named_address_is_given_out(cluster, connect):
    [place] = cluster.start([("127.0.0.1", 0)], ["node.test", "127.30.0.9", "127.0.0.1"])
    [node] = connect(cluster, place).list_node().items
    assert node.status.addresses[0].address == "127.30.0.9"


@on_both
def test_clusters_are_strangers(make_cluster, cluster, connect, tmp_path):
    other = make_cluster("other", tmp_path / "other")
    [place], [second] = cluster.start([("127.0.0.1", 0)], []), other.start([("127.0.0.1", 0)], [])
    try:
        document = other.kubeconfig(f"https://{second[0]}:{second[1]}")
        document["users"][0]["user"] = {"token": cluster.token("ann", [])}
        with config.new_client_from_config_dict(document) as api, pytest.raises(client.ApiException) as caught:
            client.CoreV1Api(api).list_namespace()
        assert caught.value.status == 401
    finally:
        other.delete()
    assert connect(cluster, place).list_namespace().items


@on_both
def test_a_port_in_use_is_an_error(cluster):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        cluster.start([("127.0.0.1", taken.getsockname()[1])], [])
    assert not cluster.running


def test_a_token_ends_with_its_time(tmp_path):
    tokens = Tokens(tmp_path / "tokens.json")
    kept, ended = tokens.issue("ann", ["a"], seconds=60), tokens.issue("ann", ["a"], seconds=-1)
    again = Tokens(tmp_path / "tokens.json")
    assert [again.user(token) for token in (kept, ended)] == [User(name="ann", groups=("a",)), None]


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", "nonsense"])
def test_only_loopback_is_served(cluster, address):
    with pytest.raises(ValueError, match=address):
        cluster.start([(address, 0)], [])


def test_delete_leaves_nothing(cluster, tmp_path):
    [place] = cluster.start([("127.0.0.1", 0)], [])
    cluster.delete()
    assert not (tmp_path / "small").exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(place, timeout=2)


def test_private_files_are_private(cluster, tmp_path):
    cluster.start([("127.0.0.1", 0)], [])
    cluster.token("ann", [])
    cluster.kubeconfig("https://127.0.0.1")
    cluster.stop()
    private = ["ca.key", "server.key", "admin.key", "tokens.json", "state.json"]
    modes = {name: (tmp_path / "small" / name).stat().st_mode & 0o077 for name in private}
    assert set(modes.values()) == {0}, modes


def test_paths_instead_of_data(cluster, connect):
    [place] = cluster.start([("127.0.0.1", 0)], [])
    document = cluster.kubeconfig("https://127.0.0.1", embed=False)
    assert document["users"][0]["user"]["client-key"].endswith("admin.key")
    assert connect(cluster, place, embed=False).list_namespace().items


def test_a_stop_ends_open_watches(cluster, connect):
    [place] = cluster.start([("127.0.0.1", 0)], [])
    core = connect(cluster, place)
    answer = core.list_namespace(watch=True, _preload_content=False, timeout_seconds=60)
    lines = iter(answer.stream())
    assert json.loads(next(lines).splitlines()[0])["type"] == "ADDED"
    begun = time.monotonic()
    cluster.stop()
    list(lines)
    assert time.monotonic() - begun < 5
