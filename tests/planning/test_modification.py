"""Changing counts: what comes and goes, and that the deployment keeps its shape (spec 5.1)."""

from collections.abc import Sequence
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from groundplan.model.blueprint import Blueprint, Scalable, ScalingGroup
from groundplan.model.deployment import NodeInstance
from groundplan.planning.modification import InstanceChanges, change_counts, counts_now

from .builders import blueprint, facts_of, instances_of, node, relationship

GROUPED = blueprint(
    node("vm", host=True),
    node("app", relationship("contained_in", "vm")),
    node("ip", relationship("connected_to", "vm")),
    node("db"),
    node("client", relationship("connected_to", "app"), relationship("depends_on", "db", connection_type="all_to_one")),
    groups={
        "site": ScalingGroup(members=("rack",), instances=Scalable(default_instances=1)),
        "rack": ScalingGroup(members=("vm", "ip"), instances=Scalable(default_instances=1)),
    },
)
ENTITIES = (*GROUPED.nodes, *GROUPED.scaling_groups)
COUNTS = st.fixed_dictionaries({name: st.integers(0, 2) for name in ENTITIES})


def changed(
    plan: Blueprint, instances: Sequence[NodeInstance], counts: dict[str, int], **hints: object
) -> tuple[InstanceChanges, list[NodeInstance]]:
    """The changes and the instances after them."""
    numbers = count(1)
    taken = {item.id for item in instances}

    def new_id(name: str) -> str:
        return next(own for number in numbers if (own := f"{name}_new{number}") not in taken)

    changes = change_counts(plan, instances, counts, new_id, **hints)
    final = {item.id: item for item in (*changes.extended, *changes.final)}
    stay = [final.get(item.id, item) for item in instances if item.id not in changes.removed]
    return changes, [*stay, *changes.added]


def check(plan: Blueprint, instances: Sequence[NodeInstance]) -> None:
    """Everything holds together."""
    by_id = {item.id: item for item in instances}
    assert len(by_id) == len(instances)
    for item in instances:
        assert item.host is None or by_id[item.host].host == item.host
        for link in item.relationships:
            target = by_id[link.target]
            assert target.node == link.target_node
            assert "contained_in" not in link.type or item.host == target.host
            assert item.node != "ip" or item.scaling_groups == target.scaling_groups
    for name in plan.nodes:
        indexes = [item.index for item in instances if item.node == name]
        assert len(set(indexes)) == len(indexes)


@settings(max_examples=60)
@given(before=COUNTS, after=COUNTS)
def test_any_change_leaves_what_a_deployment_made_so_would_be(before: dict[str, int], after: dict[str, int]) -> None:
    old = instances_of(GROUPED, **before)
    changes, now = changed(GROUPED, old, after)
    check(GROUPED, now)
    fresh = instances_of(GROUPED, **after)
    assert sizes(now) == sizes(fresh)
    assert {item.id for item in changes.added}.isdisjoint(item.id for item in old)


def sizes(instances: Sequence[NodeInstance]) -> dict[str, tuple[int, int]]:
    """By node, how many instances and how many relationships."""
    found: dict[str, tuple[int, int]] = {}
    for item in instances:
        number, links = found.get(item.node, (0, 0))
        found[item.node] = number + 1, links + len(item.relationships)
    return found


@settings(max_examples=60)
@given(counts=COUNTS, entity=st.sampled_from(ENTITIES), more=st.integers(1, 2))
def test_out_and_in_again_returns_the_same_instances(counts: dict[str, int], entity: str, more: int) -> None:
    old = instances_of(GROUPED, **counts)
    grown, bigger = changed(GROUPED, old, {**counts, entity: counts[entity] + more})
    shrunk, again = changed(GROUPED, bigger, counts)
    assert not grown.removed
    assert not grown.final
    assert not shrunk.added
    assert {item.id: item for item in again} == {item.id: item for item in old}


@settings(max_examples=60)
@given(counts=COUNTS)
def test_the_same_counts_change_nothing(counts: dict[str, int]) -> None:
    changes, _ = changed(GROUPED, instances_of(GROUPED, **counts), counts)
    assert changes == InstanceChanges(added=(), removed=(), extended=(), final=())


def test_what_is_inside_goes_with_its_container_and_comes_with_a_new_one() -> None:
    plan = blueprint(node("vm", host=True, instances=2), node("app", relationship("contained_in", "vm"), instances=2))
    old = instances_of(plan)
    changes, _ = changed(plan, old, {"vm": 1, "app": 2}, doomed={"vm_000001"})
    assert changes.removed == ("vm_000001", "app_000003", "app_000004")
    changes, _ = changed(plan, old, {"vm": 3, "app": 2})
    assert [item.id for item in changes.added] == ["vm_new1", "app_new2", "app_new3"]


def test_the_youngest_go_first_except_what_is_spared() -> None:
    plan = blueprint(node("web", instances=3))
    old = instances_of(plan)
    assert changed(plan, old, {"web": 2})[0].removed == ("web_000003",)
    assert changed(plan, old, {"web": 1}, spared={"web_000003"})[0].removed == ("web_000001", "web_000002")


def test_a_free_index_is_given_again() -> None:
    plan = blueprint(node("web", instances=3))
    _, two = changed(plan, instances_of(plan), {"web": 2}, doomed={"web_000001"})
    assert [item.index for item in changed(plan, two, {"web": 4})[0].added] == [1, 4]


def test_all_to_one_keeps_its_target_and_gets_another_when_that_goes() -> None:
    link = relationship("connected_to", "db", connection_type="all_to_one")
    plan = blueprint(node("db", instances=2), node("web", link))
    first, second, web = instances_of(plan)
    moved = structs.replace(web, relationships=(structs.replace(web.relationships[0], target=second.id),))
    changes, now = changed(plan, (first, second, moved), {"db": 2, "web": 2})
    assert [item.relationships[0].target for item in now if item.node == "web"] == [second.id] * 2
    changes, now = changed(plan, (first, second, moved), {"db": 1, "web": 1}, doomed={second.id})
    assert [link.target for item in changes.extended for link in item.relationships] == [second.id, first.id]
    assert [link.target for item in changes.final for link in item.relationships] == [first.id]


def test_a_deployment_without_recorded_counts_has_those_that_it_shows() -> None:
    plan = blueprint(
        node("vm", host=True),
        node("app", relationship("contained_in", "vm")),
        groups={"g": ScalingGroup(members=("vm",), instances=Scalable(default_instances=1))},
    )
    facts = facts_of(plan, instances_of(plan, g=2, vm=3, app=4))
    assert counts_now(plan, facts.deployment, facts.instances) == {"vm": 3, "app": 4, "g": 2}
