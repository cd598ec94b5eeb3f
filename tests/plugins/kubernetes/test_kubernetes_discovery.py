"""What a cluster said it serves is asked for once, and again for what is not known."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from groundplan_kubernetes.access import ClusterAccess
from groundplan_kubernetes.discovery import KnownResources, Resources, read_resources, root_of

ACCESS = ClusterAccess(server="https://10.0.0.1:6443", authority="one")
LISTED = {
    "resources": [
        {"name": "deployments", "kind": "Deployment", "namespaced": True},
        {"name": "deployments/scale", "kind": "Scale", "namespaced": True},
        {"name": "nodes", "kind": "Node", "namespaced": False},
    ]
}


class Server:
    """Counts how often it was asked."""

    def __init__(self, *kinds: str) -> None:
        self.kinds = kinds
        self.asked = 0

    def __call__(self) -> Resources:
        self.asked += 1
        listed = [{"name": kind.lower(), "kind": kind, "namespaced": True} for kind in self.kinds]
        return read_resources("/api/v1", {"resources": listed})


@pytest.fixture
def find() -> Callable[..., bool]:
    known = KnownResources()
    return lambda kind, server, access=ACCESS: known.find(access, "v1", kind, server) is not None


def test_a_list_is_asked_for_once(find: Callable[..., bool]) -> None:
    server = Server("Pod", "Secret")
    assert find("Pod", server)
    assert find("Secret", server)
    assert server.asked == 1


def test_a_kind_that_is_new_is_asked_for_again(find: Callable[..., bool]) -> None:
    server = Server("Pod")
    assert not find("Cart", server)
    server.kinds = ("Pod", "Cart")
    assert find("Cart", server)
    assert server.asked == 2


def test_another_authority_at_the_address_is_another_cluster(find: Callable[..., bool]) -> None:
    before, after = Server("Pod", "Cart"), Server("Pod")
    assert find("Cart", before)
    assert not find("Cart", after, replace(ACCESS, authority="two"))


def test_what_is_forgotten_is_asked_for_again() -> None:
    known, server = KnownResources(), Server("Pod")
    known.find(ACCESS, "v1", "Pod", server)
    known.forget(ACCESS, "v1")
    known.find(ACCESS, "v1", "Pod", server)
    assert server.asked == 2


def test_a_process_that_sees_many_clusters_keeps_the_last_ones(find: Callable[..., bool]) -> None:
    server = Server("Pod")
    for number in range(200):
        find("Pod", server, replace(ACCESS, server=f"https://10.0.0.{number}"))
    assert find("Pod", server, replace(ACCESS, server="https://10.0.0.199"))
    assert server.asked == 200


def test_paths_follow_scope_and_group() -> None:
    served = read_resources(root_of("apps/v1"), LISTED)
    assert set(served) == {"Deployment", "Node"}
    assert served["Deployment"].path("app", "shop") == "/apis/apps/v1/namespaces/shop/deployments/app"
    assert served["Node"].path("a", "shop") == "/apis/apps/v1/nodes/a"
    assert root_of("v1") == "/api/v1"


def test_names_cannot_leave_their_place_in_a_path() -> None:
    served = read_resources("/api/v1", LISTED)
    assert served["Deployment"].path("../x?y", "a/b") == "/api/v1/namespaces/a%2Fb/deployments/..%2Fx%3Fy"
