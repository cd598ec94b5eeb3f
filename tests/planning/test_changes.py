"""What differs between two forms of a deployment, and which instances that adds, removes and links (spec 5.10)."""

from collections import Counter
from collections.abc import Sequence
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from groundplan.model.blueprint import (
    Blueprint,
    NodeTemplate,
    Output,
    Plugin,
    ScalingGroup,
    Workflow,
    from_plan,
    to_plan,
)
from groundplan.model.deployment import InstanceState, NodeInstance
from groundplan.model.update import Action, Entity, Step
from groundplan.model.values import Sensitive, from_data
from groundplan.planning.changes.difference import Reshaped, find_difference, settled
from groundplan.planning.changes.steps import Form, find_steps, matching
from groundplan.planning.changes.transition import join

from .builders import blueprint, instances_of, lifecycle, node, relationship

# -- one difference, one step


def steps(old: Blueprint, new: Blueprint, before: object = None, after: object = None) -> list[str]:
    """Steps as people read them."""
    found = find_steps(Form(blueprint=old, inputs=before or {}), Form(blueprint=new, inputs=after or before or {}))
    assert not found.unsupported
    return [f"{step.action} {step.entity} {':'.join(step.path)}" for step in found.steps]


def faults(old: Blueprint, new: Blueprint) -> list[tuple[str, str]]:
    """Codes and places of what an update cannot do."""
    found = find_steps(Form(blueprint=old), Form(blueprint=new)).unsupported
    assert all(item.fix for item in found)
    return [(item.code, item.path) for item in found]


def test_nodes_are_removed_and_added() -> None:
    assert steps(blueprint(node("a"), node("b")), blueprint(node("b"), node("c"))) == [
        "remove node nodes:a",
        "add node nodes:c",
    ]


def test_properties() -> None:
    old, new = blueprint(node("a", x=1, y=1)), blueprint(node("a", y=True, z=1))
    assert steps(old, new) == [
        "remove property nodes:a:properties:x",
        "add property nodes:a:properties:z",
        "modify property nodes:a:properties:y",
    ]


def test_the_order_of_keys_is_no_difference() -> None:
    assert steps(blueprint(node("a", x={"k": 1, "l": 2})), blueprint(node("a", x={"l": 2, "k": 1}))) == []


def test_an_input_changes_the_properties_made_of_it() -> None:
    plan = blueprint(
        node("a", port={"get_input": "port"}, fixed=1),
        node("b", url={"concat": ["http://a:", {"get_property": ["a", "port"]}]}),
    )
    assert steps(plan, plan, {"port": 80}, {"port": 81}) == [
        "modify property nodes:a:properties:port",
        "modify property nodes:b:properties:url",
    ]


def test_an_input_that_gives_what_was_written_is_no_difference() -> None:
    old, new = blueprint(node("a", port=80)), blueprint(node("a", port={"get_input": "port"}))
    assert steps(old, new, {}, {"port": 80}) == []


def test_run_time_functions_are_compared_as_they_are_written() -> None:
    def plan(attribute: str, secret: str) -> Blueprint:
        return blueprint(node("a", x={"get_attribute": ["b", attribute]}, y={"get_secret": secret}), node("b"))

    assert steps(plan("ip", "s"), plan("ip", "s")) == []
    assert steps(plan("ip", "s"), plan("port", "t")) == [
        "modify property nodes:a:properties:x",
        "modify property nodes:a:properties:y",
    ]


def test_sensitive_inputs_are_compared_and_not_shown() -> None:
    plan = blueprint(node("a", key={"get_input": "key"}))
    found = steps(plan, plan, {"key": Sensitive("hush-hush")}, {"key": Sensitive("other-hush")})
    assert found == ["modify property nodes:a:properties:key"]


def test_operations() -> None:
    old = blueprint(node("a", operations=lifecycle("create", "start")))
    new = blueprint(node("a", operations=lifecycle("create", operation="nop.tasks.other") | lifecycle("stop")))
    assert steps(old, new) == [
        "remove operation nodes:a:operations:cloudify.interfaces.lifecycle.start",
        "add operation nodes:a:operations:cloudify.interfaces.lifecycle.stop",
        "modify operation nodes:a:operations:cloudify.interfaces.lifecycle.create",
    ]


def test_relationships() -> None:
    old = blueprint(node("a", relationship("depends_on", "b"), relationship("connected_to", "c")), node("b"), node("c"))
    new = blueprint(
        node("a", relationship("connected_to", "c"), relationship("connected_to", "b")), node("b"), node("c")
    )
    assert steps(old, new) == [
        "remove relationship nodes:a:relationships:[0]",
        "add relationship nodes:a:relationships:[1]",
    ]


def test_relationships_in_another_order() -> None:
    links = [relationship("depends_on", name) for name in "bcd"]
    others = [node(name) for name in "bcd"]
    old, new = blueprint(node("a", *links), *others), blueprint(node("a", links[1], links[0], links[2]), *others)
    assert steps(old, new) == [
        "modify relationship nodes:a:relationships:[0]:[1]",
        "modify relationship nodes:a:relationships:[1]:[0]",
    ]


def test_operations_of_relationships() -> None:
    old = blueprint(node("a", relationship("depends_on", "b", source="establish")), node("b"))
    new = blueprint(node("a", relationship("depends_on", "b", of_target="establish")), node("b"))
    name = "cloudify.interfaces.relationship_lifecycle.establish"
    assert steps(old, new) == [
        f"remove operation nodes:a:relationships:[0]:source_operations:{name}",
        f"add operation nodes:a:relationships:[0]:target_operations:{name}",
    ]


def test_what_is_not_a_node() -> None:
    def plan(mark: str, **named: object) -> Blueprint:
        run = Workflow(name="w", plugin="p", operation=f"p.{mark}")
        return (
            structs.replace
            if False
            else Blueprint(
                version="cloudify_dsl_1_5",
                nodes={},
                workflows={"w": run},
                outputs={"o": Output(value=from_data(mark))},
                capabilities={mark: Output(value=1)},
                **named,
            )
        )

    assert steps(plan("x"), plan("y", description="new")) == [
        "remove capability capabilities:x",
        "add capability capabilities:y",
        "add description description",
        "modify workflow workflows:w",
        "modify output outputs:o",
    ]


def test_a_plugin_of_another_version() -> None:
    def plan(version: str) -> Blueprint:
        return from_plan(
            {
                **to_plan(blueprint(node("a", operations=lifecycle("create")))),
                "plugins": to_plan(
                    Blueprint(version="", nodes={}, plugins={"nop": Plugin(name="nop", package_version=version)})
                )["plugins"],
            }
        )

    assert steps(plan("1"), plan("2")) == ["modify plugin plugins:a:nop"]


def test_what_an_update_cannot_do_has_a_place_and_a_fix() -> None:
    host, other = node("host", host=True), node("other", host=True)
    inside = node("a", relationship("contained_in", "host"))
    assert faults(blueprint(node("a")), blueprint(node("a", host=True))) == [("node-type", "node_templates.a.type")]
    assert faults(
        blueprint(host, other, inside), blueprint(host, other, node("a", relationship("contained_in", "other")))
    ) == [("container", "node_templates.a.relationships")]
    assert faults(blueprint(host, inside), blueprint(host, node("a"))) == [
        ("container", "node_templates.a.relationships")
    ]
    assert faults(
        blueprint(node("a", relationship("depends_on", "b")), node("b")),
        blueprint(node("a", relationship("depends_on", "b", connection_type="all_to_one")), node("b")),
    ) == [("relationship-properties", "node_templates.a.relationships[0].properties")]
    group = {"g": ScalingGroup(members=("a",))}
    assert faults(blueprint(node("a")), blueprint(node("a"), groups=group)) == [("groups", "groups")]


def test_counts_written_otherwise_are_told_and_left() -> None:
    found = find_steps(Form(blueprint=blueprint(node("a"))), Form(blueprint=blueprint(node("a", instances=3))))
    assert not found.steps
    assert "scale" in found.notes[0]


# -- instances


def changed(old: Form, new: Form, instances: Sequence[NodeInstance]) -> tuple[Reshaped, list[NodeInstance]]:
    """What changes, and the instances while the update runs."""
    numbers = count(1)
    found = find_difference(
        old.blueprint,
        new.blueprint,
        find_steps(old, new).steps,
        instances,
        {},
        lambda name: f"{name}_new{next(numbers)}",
    )
    relinked = {item.id: item for item in found.relinked}
    return found, [*(relinked.get(item.id, item) for item in instances), *found.added]


def concluded(new: Form, instances: Sequence[NodeInstance]) -> list[NodeInstance]:
    """The instances when the update is over."""
    gone = {item.id for item in instances if item.node not in new.blueprint.nodes}
    relinked = {item.id: item for item in settled(new.blueprint, instances, gone)}
    return [relinked.get(item.id, item) for item in instances if item.id not in gone]


def linked(instances: Sequence[NodeInstance]) -> Counter[tuple[object, ...]]:
    """The shape of a deployment, whatever its ids are."""
    return Counter(
        (item.node, tuple(sorted((link.index, link.type, link.target_node) for link in item.relationships)))
        for item in instances
    )


def test_an_added_node_is_placed_in_each_instance_of_its_container() -> None:
    host = node("host", host=True, instances=2)
    old, new = (
        Form(blueprint=blueprint(host)),
        Form(blueprint=blueprint(host, node("app", relationship("contained_in", "host"), instances=2))),
    )
    there = instances_of(old.blueprint)
    found, meanwhile = changed(old, new, there)
    assert [item.id for item in found.added] == list(found.difference.added)
    assert Counter(item.host for item in found.added) == {item.id: 2 for item in there}
    assert linked(meanwhile) == linked(instances_of(new.blueprint))


def test_an_added_node_joins_the_scaling_group_of_its_container() -> None:
    groups = {"g": ScalingGroup(members=("host",))}
    host = node("host", host=True)
    app = node("app", relationship("contained_in", "host"), relationship("connected_to", "host"))
    old, new = Form(blueprint=blueprint(host, groups=groups)), Form(blueprint=blueprint(host, app, groups=groups))
    there = instances_of(old.blueprint, g=3)
    added = changed(old, new, there)[0].added
    assert [{link.target for link in item.relationships} for item in added] == [{item.id} for item in there]


def test_relationships_of_instances_that_stay() -> None:
    old = blueprint(node("a", relationship("depends_on", "b"), relationship("depends_on", "c")), node("b"), node("c"))
    new = blueprint(node("a", relationship("depends_on", "c"), relationship("depends_on", "d")), node("c"), node("d"))
    a, b, c = instances_of(old)
    found, meanwhile = changed(Form(blueprint=old), Form(blueprint=new), (a, b, c))
    (d,) = found.added
    assert [(link.source, link.index, link.target) for link in found.difference.extended] == [(a.id, 1, d.id)]
    assert [(link.source, link.index, link.target) for link in found.difference.reduced] == [(a.id, 2, b.id)]
    assert found.difference.removed == (b.id,)
    assert linked(concluded(Form(blueprint=new), meanwhile)) == linked(instances_of(new))


def test_instances_whose_template_changes_are_modified() -> None:
    old, new = blueprint(node("a", x=1, instances=2), node("b")), blueprint(node("a", x=2, instances=2), node("b"))
    there = instances_of(old)
    found, _ = changed(Form(blueprint=old), Form(blueprint=new), there)
    assert list(found.difference.modified) == [item.id for item in there if item.node == "a"]


def test_an_update_after_one_that_failed_finishes_what_was_left() -> None:
    plan = blueprint(node("a"), node("b"))
    a, b = instances_of(plan)
    there = (structs.replace(a, state=InstanceState.STARTED), b)
    found = find_difference(plan, plan, (), there, {}, str, finish=True)
    assert found.difference.unfinished == (b.id,)


def test_what_goes_keeps_the_inputs_that_it_was_made_with() -> None:
    old = Form(blueprint=blueprint(node("a", x={"get_input": "at"}), node("b")), inputs={"at": "one", "gone": 1})
    new = Form(blueprint=blueprint(node("b", x={"get_input": "at"})), inputs={"at": "two"})
    joined = join(old, new)
    assert joined.inputs == {"at": "two", "at (before)": "one"}
    assert steps(old.blueprint, joined.blueprint, old.inputs, joined.inputs) == ["add property nodes:b:properties:x"]
    again = join(joined, Form(blueprint=new.blueprint, inputs={"at": "three"}))
    assert sorted(again.inputs.values()) == ["one", "three"]


# -- whatever the blueprints


@st.composite
def nodes(draw: st.DrawFn, name: int, others: Sequence[int]) -> NodeTemplate:
    targets = draw(st.lists(st.sampled_from(others), max_size=3)) if others else []
    links = [relationship(draw(st.sampled_from(["depends_on", "connected_to"])), f"n{target}") for target in targets]
    properties = draw(st.dictionaries(st.sampled_from("xyz"), st.sampled_from([1, True, "1", [1], {"k": None}])))
    operations = lifecycle(*draw(st.sets(st.sampled_from(["create", "start", "update"]))))
    return node(f"n{name}", *links, operations=operations, instances=name % 3, **properties)


@st.composite
def forms(draw: st.DrawFn) -> Form:
    names = sorted(draw(st.sets(st.integers(0, 5))))
    plan = blueprint(*(draw(nodes(name, [other for other in names if other < name])) for name in names))
    outputs = {
        name: Output(value=from_data(value))
        for name, value in draw(st.dictionaries(st.sampled_from("ab"), st.integers(0, 1))).items()
    }
    return Form(
        blueprint=from_plan(
            {**to_plan(plan), "outputs": to_plan(Blueprint(version="", nodes={}, outputs=outputs))["outputs"]}
        )
    )


def found_at(step: Step, plan: Blueprint) -> object:
    """What a blueprint has at a step's path; None when nothing is there."""
    found: object = to_plan(plan)
    for part in step.path:
        if isinstance(found, list):
            found = found[int(part[1:-1])]
        elif isinstance(found, dict):
            found = found.get(part)
    return found


@given(form=forms())
def test_an_update_to_itself_is_empty(form: Form) -> None:
    found = find_steps(form, form)
    assert (found.steps, found.unsupported, found.notes) == ((), (), ())
    there = instances_of(form.blueprint)
    reshaped, _ = changed(form, form, there)
    assert reshaped == Reshaped(difference=reshaped.difference)
    assert not any(getattr(reshaped.difference, name) for name in reshaped.difference.__slots__)
    assert join(form, form).blueprint == form.blueprint


@given(old=forms(), new=forms())
def test_every_step_names_something_that_differs(old: Form, new: Form) -> None:
    for step in find_steps(old, new).steps:
        if step.entity is Entity.RELATIONSHIP:
            sides = [plan.blueprint.nodes[step.node].relationships for plan in (old, new)]
            kept = matching(*sides)
            places = [int(part[1:-1]) for part in step.path[3:]]
            if step.action is Action.MODIFY:
                assert kept[places[0]] == places[1]
            else:
                side = kept if step.action is Action.REMOVE else kept.values()
                assert places[0] not in side
            continue
        if step.entity is Entity.PLUGIN:
            uses = [bool(plan.blueprint.nodes[step.node].operations) for plan in (old, new)]
            assert uses == [step.action is Action.REMOVE, step.action is Action.ADD]
            continue
        before, after = found_at(step, old.blueprint), found_at(step, new.blueprint)
        assert repr(before) != repr(after)
        assert (before is None) == (step.action is Action.ADD)
        assert (after is None) == (step.action is Action.REMOVE)


@given(old=forms(), new=forms())
def test_there_and_back_restores(old: Form, new: Form) -> None:
    mirror = {Action.ADD: Action.REMOVE, Action.REMOVE: Action.ADD, Action.MODIFY: Action.MODIFY}
    there, back = find_steps(old, new).steps, find_steps(new, old).steps
    plain = [step for step in there if step.entity is not Entity.RELATIONSHIP]
    assert {(mirror[step.action], step.path) for step in plain} == {
        (step.action, step.path) for step in back if step.entity is not Entity.RELATIONSHIP
    }
    first = instances_of(old.blueprint)
    _, meanwhile = changed(old, new, first)
    halfway = concluded(new, meanwhile)
    assert linked(halfway) == linked(instances_of(new.blueprint))
    _, again = changed(new, old, halfway)
    assert linked(concluded(old, again)) == linked(first)


@given(old=forms(), new=forms())
def test_meanwhile_every_relationship_stands_where_its_template_says(old: Form, new: Form) -> None:
    joined = join(old, new).blueprint
    _, meanwhile = changed(old, new, instances_of(old.blueprint))
    ids = {item.id for item in meanwhile}
    for item in meanwhile:
        for link in item.relationships:
            template = joined.nodes[item.node].relationships[link.index]
            assert (template.type, template.target) == (link.type, link.target_node)
            assert link.target in ids


@pytest.mark.parametrize("name", ["added", "removed"])
def test_instances_come_and_go_with_their_nodes(name: str) -> None:
    old, new = Form(blueprint=blueprint(node("a"), node("b"))), Form(blueprint=blueprint(node("b"), node("c")))
    found, meanwhile = changed(old, new, instances_of(old.blueprint))
    ids = getattr(found.difference, name)
    assert [item.node for item in meanwhile if item.id in ids] == ["c" if name == "added" else "a"]
