"""From templates to instances: counts, containment, scaling groups, relationships, hosts (spec 5.1)."""

from collections import Counter, defaultdict

import pytest

from groundplan.model.blueprint import Blueprint, Relationship, Scalable, ScalingGroup
from groundplan.model.deployment import NodeInstance
from groundplan.model.ids import NodeId
from groundplan.planning.faults import PlanningError
from groundplan.planning.instances import make_instances

from .builders import blueprint, instances_of, node, relationship

IN = "contained_in"
TO = "connected_to"


def counted(plan: Blueprint, **counts: int) -> dict[str, int]:
    return dict(Counter(item.node for item in instances_of(plan, **counts)))


def by_node(plan: Blueprint, **counts: int) -> dict[str, list[NodeInstance]]:
    found = defaultdict(list)
    for item in instances_of(plan, **counts):
        found[str(item.node)].append(item)
    return found


def group(*members: str, instances: int = 1) -> ScalingGroup:
    return ScalingGroup(members=members, instances=Scalable(default_instances=instances))


def test_ids_come_from_the_caller_who_is_asked_until_one_is_free() -> None:
    offered = iter(["web_a", "web_a", "web_a", "web_b"])
    made = make_instances(blueprint(node("web", instances=2)), {}, lambda _: next(offered))
    assert [item.id for item in made] == ["web_a", "web_b"]


def test_instances_are_counted_from_one_within_their_node() -> None:
    made = by_node(blueprint(node("web", instances=3), node("db")))
    assert [item.index for item in made["web"]] == [1, 2, 3]
    assert [item.index for item in made["db"]] == [1]


def test_given_counts_replace_the_declared_ones() -> None:
    plan = blueprint(node("web", instances=2), node("db"), node("gone"))
    assert counted(plan, web=5, gone=0) == {"web": 5, "db": 1}


def test_each_container_instance_has_its_own_set() -> None:
    plan = blueprint(
        node("app", relationship(IN, "runtime"), instances=2),
        node("runtime", relationship(IN, "vm"), instances=2),
        node("vm", host=True, instances=2),
    )
    made = by_node(plan)
    assert {name: len(items) for name, items in made.items()} == {"vm": 2, "runtime": 4, "app": 8}
    containers = Counter(item.relationships[0].target for item in made["app"])
    assert set(containers.values()) == {2}


def test_hosts_reach_down_to_all_they_contain() -> None:
    plan = blueprint(
        node("vm", host=True, instances=2),
        node("runtime", relationship(IN, "vm")),
        node("app", relationship(IN, "runtime")),
        node("cloud"),
    )
    made = by_node(plan)
    assert [item.host for item in made["vm"]] == [item.id for item in made["vm"]]
    runtimes = {item.id: item for item in made["runtime"]}
    for app in made["app"]:
        assert app.host == runtimes[app.relationships[0].target].host != None  # noqa: E711
    assert made["cloud"][0].host is None


def test_all_to_all_relates_to_every_target() -> None:
    made = by_node(blueprint(node("db", instances=3), node("web", relationship(TO, "db"), instances=2)))
    targets = {item.id for item in made["db"]}
    assert all({found.target for found in item.relationships} == targets for item in made["web"])


def test_all_to_one_relates_all_to_the_smallest_id() -> None:
    link = relationship(TO, "db", connection_type="all_to_one")
    made = by_node(blueprint(node("db", instances=3), node("web", link, instances=2)))
    smallest = min(item.id for item in made["db"])
    assert [[found.target for found in item.relationships] for item in made["web"]] == [[smallest], [smallest]]


def test_relationships_keep_the_templates_order_and_know_their_place() -> None:
    plan = blueprint(node("a"), node("b"), node("web", relationship(TO, "b"), relationship("depends_on", "a")))
    web = by_node(plan)["web"][0]
    assert [(item.index, item.target_node) for item in web.relationships] == [(0, "b"), (1, "a")]


def test_members_of_a_scaling_group_multiply_with_it() -> None:
    plan = blueprint(node("web", instances=2), node("db"), groups={"pair": group("web", "db", instances=3)})
    assert counted(plan) == {"web": 6, "db": 3}
    assert counted(plan, pair=1) == {"web": 2, "db": 1}


def test_within_a_group_only_instances_of_one_group_instance_relate() -> None:
    plan = blueprint(node("db"), node("web", relationship(TO, "db")), groups={"pair": group("web", "db", instances=2)})
    made = by_node(plan)
    place = {item.id: item.scaling_groups[0].id for item in (*made["web"], *made["db"])}
    assert [[place[found.target] for found in item.relationships] for item in made["web"]] == [
        [place[item.id]] for item in made["web"]
    ]
    assert len(set(place.values())) == 2


def test_groups_nest_and_memberships_go_from_inner_to_outer() -> None:
    plan = blueprint(
        node("db"),
        node("web", relationship(TO, "db")),
        groups={"rack": group("db", "pair", instances=2), "pair": group("web", instances=2)},
    )
    made = by_node(plan)
    assert (len(made["db"]), len(made["web"])) == (2, 4)
    assert [item.name for item in made["web"][0].scaling_groups] == ["pair", "rack"]
    racks = {item.id: item.scaling_groups[-1].id for item in (*made["db"], *made["web"])}
    assert all(racks[item.relationships[0].target] == racks[item.id] for item in made["web"])
    assert {len(item.relationships) for item in made["web"]} == {1}


def test_a_group_inside_a_container_exists_in_each_of_its_instances() -> None:
    plan = blueprint(
        node("vm", host=True, instances=2),
        node("web", relationship(IN, "vm")),
        node("log", relationship(IN, "vm"), relationship(TO, "web")),
        groups={"pods": group("web", "log", instances=3)},
    )
    made = by_node(plan)
    assert (len(made["web"]), len(made["log"])) == (6, 6)
    assert len({item.scaling_groups[0].id for item in made["web"]}) == 6
    web = {item.id: item for item in made["web"]}
    for log in made["log"]:
        (target,) = (item.target for item in log.relationships if item.target_node == "web")
        assert (web[target].host, web[target].scaling_groups) == (log.host, log.scaling_groups)


def test_what_members_contain_follows_them() -> None:
    plan = blueprint(
        node("vm", host=True), node("web", relationship(IN, "vm")), groups={"farm": group("vm", instances=4)}
    )
    made = by_node(plan)
    assert len({item.host for item in made["web"]}) == 4
    assert made["web"][0].scaling_groups == ()


def test_contained_nodes_of_group_members_relate_within_the_group() -> None:
    plan = blueprint(
        node("db"),
        node("vm", host=True),
        node("web", relationship(IN, "vm"), relationship(TO, "db")),
        groups={"farm": group("vm", "db", instances=2)},
    )
    assert [len(item.relationships) for item in by_node(plan)["web"]] == [2, 2]


def test_one_smallest_target_makes_no_sense_within_a_group() -> None:
    link = relationship(TO, "db", connection_type="all_to_one")
    refuse("all-to-one-in-group", blueprint(node("db"), node("web", link), groups={"pair": group("web", "db")}))


def test_an_unknown_connection_type_is_refused() -> None:
    refuse("connection-type", blueprint(node("db"), node("web", relationship(TO, "db", connection_type="some"))))


def test_a_relationship_outside_the_families_is_refused() -> None:
    strange = Relationship(type="my.friend_of", target=NodeId("db"), type_hierarchy=("my.friend_of",))
    refuse("unsupported-relationship", blueprint(node("db"), node("web", strange)))


def test_nodes_that_contain_each_other_are_refused() -> None:
    refuse("containment-cycle", blueprint(node("a", relationship(IN, "b")), node("b", relationship(IN, "a"))))


@pytest.mark.parametrize("count", [-1, True, "2", None])
def test_a_count_is_a_whole_number(count: object) -> None:
    refuse("instance-count", blueprint(node("web", instances=count)))  # type: ignore[arg-type]


def refuse(code: str, plan: Blueprint) -> None:
    with pytest.raises(PlanningError) as refused:
        instances_of(plan)
    assert refused.value.code == code
