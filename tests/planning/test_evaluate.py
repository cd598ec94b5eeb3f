"""Intrinsic functions: what each gives, how they nest, and what they say when they cannot (spec 3)."""

import pytest

from groundplan.model.blueprint import Output, Scalable, ScalingGroup
from groundplan.model.values import Data, Sensitive, from_data, reveal
from groundplan.planning.evaluate import EvaluationFault, Scope, evaluate_data, evaluate_outputs

from .builders import blueprint, node, relationship
from .world import World

ZONES = {"get_input": "zones"}


def fault(world: World, written: Data, scope: Scope | None = None) -> EvaluationFault:
    with pytest.raises(EvaluationFault) as caught:
        world(written, scope)
    return caught.value


@pytest.mark.parametrize(
    ("written", "result"),
    [
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
        ({"get_input": "x", "foo": 1}, {"get_input": "x", "foo": 1}),
        (ZONES, ["a", "b"]),
        ({"get_input": ["zones", 1]}, "b"),
        ({"get_input": ["zones", -1]}, "b"),
        ({"get_input": ["net", "cidr"]}, "10.0.0.0/8"),
        ({"get_input": ["net", {"get_input": "key"}]}, "10.0.0.0/8"),
        ({"get_input": {"concat": ["zo", "nes"]}}, ["a", "b"]),
        ({"get_input": "zones", "type": "list"}, ["a", "b"]),
        ({"get_input": "late"}, "a!"),
        ({"concat": []}, ""),
        ({"concat": ["n", 1, True, None, 2.5]}, "n1TrueNone2.5"),
        ({"concat": ZONES}, "ab"),
        ({"merge": [{"a": 1, "b": {"x": 1}}, {"b": {"y": 2}}]}, {"a": 1, "b": {"y": 2}}),
        ({"merge": [{"get_input": "net"}, {"name": {"get_input": "key"}}]}, {"cidr": "10.0.0.0/8", "name": "cidr"}),
        ({"string_find": ["abcabc", "c"]}, 2),
        ({"string_find": ["abc", "x"]}, -1),
        ({"string_replace": ["aXbXc", "X", "-"]}, "a-b-c"),
        ({"string_replace": ["aXbXc", "X", "-", 1]}, "a-bXc"),
        ({"string_split": ["a,b,c", ","]}, ["a", "b", "c"]),
        ({"string_split": ["a,b,c", ",", 1]}, "b"),
        ({"string_lower": "AbC"}, "abc"),
        ({"string_upper": {"get_input": "key"}}, "CIDR"),
        ({"get_label": "env"}, ["dev", "blue"]),
        ({"get_label": ["env", 1]}, "blue"),
        ({"get_sys": ["deployment", "id"]}, "deployment's id"),
        ({"get_consumers": "ids"}, ["d1", "d2"]),
        ({"get_consumers": "names"}, ["one", "two"]),
        ({"get_consumers": "count"}, 2),
        ({"get_capability": ["net1", "ids"]}, ["x", "y"]),
        ({"get_capability": [{"concat": ["net", 1]}, "ids", 0]}, "x"),
        ({"get_environment_capability": "zone"}, {"name": "z"}),
        ({"get_environment_capability": ["zone", "name"]}, "z"),
        ({"get_group_capability": ["nets", "ids"]}, [["x", "y"], ["z"]]),
        ({"get_group_capability": ["nets", "ids", 0]}, ["x", "z"]),
        ({"get_group_capability": ["nets", "deployment_id:ids", 0]}, {"net1": "x", "net2": "z"}),
        ({"get_group_capability": ["nets", ["name", "ids"]]}, [["one", ["x", "y"]]]),
    ],
)
def test_functions(written: Data, result: Data) -> None:
    world = World(
        inputs={
            "zones": ["a", "b"],
            "net": {"cidr": "10.0.0.0/8"},
            "key": "cidr",
            "late": {"concat": [{"get_input": ["zones", 0]}, "!"]},
        },
        labels={"env": ["dev", "blue"]},
        users={"d1": "one", "d2": "two"},
        capabilities={
            "net1": {"ids": ["x", "y"], "name": "one"},
            "net2": {"ids": ["z"]},
            "net3": {},
            "environment": {"zone": {"name": "z"}},
        },
        groups={"nets": ["net2", "net1", "net3"]},
    )
    assert world(written) == result


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"get_input": "nope"}, "no input 'nope'"),
        ({"get_input": ["zones", "first"]}, "'first' is no index"),
        ({"get_input": ["zones", 7]}, "has 2 items, so there is no index 7"),
        ({"get_input": ["net", "cdir"]}, "no key 'cdir'; the keys there are cidr; did you mean 'cidr'?"),
        ({"get_input": ["key", "deeper"]}, "of kind string"),
        ({"get_input": []}, "takes a name, or a list"),
        ({"get_input": 5}, "takes a name, or a list"),
        ({"get_input": "key", "type": "integer"}, "gives a string where a whole number is expected"),
        ({"get_property": ["web"]}, "list of 2 or more"),
        ({"get_property": ["nobody", "x"]}, "no node 'nobody'"),
        ({"concat": "text"}, "takes a list"),
        ({"merge": [{}, "text"]}, "takes mappings"),
        ({"string_split": ["a,b", ",", 5]}, "no index 5"),
        ({"string_split": ["a,b", ""]}, "separator that is not empty"),
        ({"string_lower": 5}, "was given integer"),
        ({"string_find": ["a"]}, "takes strings (2)"),
        ({"get_label": "nope"}, "no label 'nope'"),
        ({"get_label": ["env", 0, 1]}, "a key, or a key and an index"),
        ({"get_consumers": "all"}, "ids, names and count"),
        ({"get_capability": ["net1", "nope"]}, "no capability 'nope'"),
        ({"get_capability": "net1"}, "list of 2 or more"),
        ({"get_attribute": ["SELF", "ip"]}, "SELF means nothing here"),
        ({"get_attribute": ["TARGET", "ip"]}, "TARGET means nothing here"),
        ({"get_attributes_list": ["SELF", "ip"]}, "SELF cannot be used here"),
        ({"get_secret": "nope"}, "no secret 'nope'"),
        ({"get_secret": ["plain", "key"]}, "is not JSON"),
    ],
)
def test_faults_say_what_is_wrong_and_where(written: Data, said: str) -> None:
    world = World(
        inputs={"zones": ["a", "b"], "net": {"cidr": "x"}, "key": "k"},
        secrets={"plain": "hunter22"},
        labels={"env": ["dev"]},
    )
    found = fault(world, {"a": written})
    assert said in found.message
    assert found.function == next(iter(written))
    assert found.path.startswith("outputs.o")
    assert "hunter22" not in found.message


# -- properties ------------------------------------------------------------------------------------------------------


def test_properties_are_read_in_the_context_of_their_node() -> None:
    world = World(plan=blueprint(node("db", port=5432, url={"concat": ["db:", {"get_property": ["SELF", "port"]}]})))
    assert world({"get_property": ["db", "url"]}) == "db:5432"


def test_a_path_evaluates_only_what_lies_on_it() -> None:
    config = {"size": 3, "double": {"get_property": ["SELF", "config", "size"]}, "bad": {"get_input": "nope"}}
    world = World(plan=blueprint(node("db", config=config)))
    assert world({"get_property": ["db", "config", "double"]}) == 3


@pytest.mark.parametrize("path", [["prot"], ["config", "prot"], ["config", "ports", 3]])
def test_a_missing_property_is_a_fault(path: list[Data]) -> None:
    world = World(plan=blueprint(node("db", config={"ports": [1]})))
    assert fault(world, {"get_property": ["db", *path]}).function == "get_property"


def test_source_and_target_are_the_ends_of_the_relationship() -> None:
    plan = blueprint(node("db", port=1), node("web", relationship("connected_to", "db"), port=2))
    world = World.installed(plan, {"db": {"ip": "10.0.0.1"}})
    written = {"concat": [{"get_property": ["SOURCE", "port"]}, "->", {"get_attribute": ["TARGET", "ip"]}]}
    assert world(written, world.between("web", "db")) == "2->10.0.0.1"


# -- nesting and cycles ----------------------------------------------------------------------------------------------


def test_a_property_that_needs_itself_is_told() -> None:
    world = World(plan=blueprint(node("db", a={"get_property": ["SELF", "a"]})))
    found = fault(world, {"get_property": ["db", "a"]})
    assert "needs itself: property db['a'] -> property db['a']" in found.message


def test_properties_that_need_each_other_are_told() -> None:
    plan = blueprint(node("a", x={"get_property": ["b", "x"]}), node("b", x={"concat": [{"get_property": ["a", "x"]}]}))
    assert "property a['x'] -> property b['x']" in fault(World(plan=plan), {"get_property": ["a", "x"]}).message


def test_a_secret_that_needs_itself_is_told() -> None:
    world = World(secrets={"s": {"k": {"get_secret": ["s", "k"]}}})
    assert "secret 's'['k']" in fault(world, {"get_secret": ["s", "k"]}).message


def test_fifty_functions_may_be_nested_and_no_more() -> None:
    def nested(depth: int) -> Data:
        written: Data = "x"
        for _ in range(depth):
            written = {"concat": [written]}
        return written

    assert World()(nested(50)) == "x"
    assert "deeper than 50" in fault(World(), nested(51)).message


def test_a_long_chain_of_references_counts_as_nesting() -> None:
    inputs: dict[str, Data] = {f"i{n}": {"get_input": f"i{n + 1}"} for n in range(60)}
    assert "deeper than 50" in fault(World(inputs=inputs), {"get_input": "i0"}).message


def test_absurdly_deep_data_is_a_fault_and_no_crash() -> None:
    deep = '{"a":' * 5000 + "1" + "}" * 5000
    assert "too deeply" in fault(World(secrets={"s": deep}), {"get_secret": ["s", "a"]}).message


# -- secrets ---------------------------------------------------------------------------------------------------------


def test_a_plain_secret_is_its_text() -> None:
    assert World(secrets={"s": '{"a": 1}'})({"get_secret": "s"}) == Sensitive('{"a": 1}')


def test_functions_inside_a_secret_are_evaluated() -> None:
    world = World(
        inputs={"env": "dev"},
        secrets={"params": {"dev": {"inputs": {"region": "eu", "key": {"get_secret": "key"}}}}, "key": "k-123"},
    )
    found = world({"get_secret": ["params", {"get_input": "env"}, "inputs"]})
    assert found == {"region": "eu", "key": Sensitive("k-123")}


def test_text_is_never_parsed_for_functions() -> None:
    assert World(secrets={"s": '{"get_secret": "s"}'})({"get_secret": "s"}) == Sensitive('{"get_secret": "s"}')


def test_in_a_document_names_tell_what_is_sensitive() -> None:
    world = World(secrets={"d": {"db": {"user": "u", "password": "p"}, "tokens": {"github": ["t"]}}})
    assert world({"get_secret": ["d", "db"]}) == {"user": "u", "password": Sensitive("p")}
    assert world({"get_secret": ["d", "tokens"]}) == {"github": [Sensitive("t")]}
    assert world({"get_secret": ["d", "tokens", "github", 0]}) == Sensitive("t")


def test_a_text_secret_that_holds_json_is_sensitive_in_every_leaf() -> None:
    world = World(secrets={"s": '{"user": "u", "ports": [1, null]}'})
    found = world({"get_secret": ["s", "ports"]})
    assert found == [Sensitive(1), None]
    assert world({"get_secret": ["s", "user"]}) == Sensitive("u")


@pytest.mark.parametrize(
    ("written", "revealed"),
    [
        ({"concat": ["a-", {"get_secret": "s"}]}, "a-Se,cret"),
        ({"concat": [{"get_input": "from_secret"}, "!"]}, "Se,cret!"),
        ({"string_lower": {"get_secret": "s"}}, "se,cret"),
        ({"string_upper": {"get_secret": "s"}}, "SE,CRET"),
        ({"string_replace": [{"get_secret": "s"}, "cret", ""]}, "Se,"),
        ({"string_split": [{"get_secret": "s"}, ",", 0]}, "Se"),
        ({"string_find": [{"get_secret": "s"}, "c"]}, 3),
        ({"get_property": ["db", "key"]}, "Se,cret"),
        ({"get_attribute": ["db", "key"]}, "Se,cret"),
        ({"get_attribute": ["db", "copied", "key"]}, "copy"),
        ({"get_capability": ["other", "key"]}, "theirs"),
    ],
)
def test_what_is_made_of_a_secret_is_sensitive(written: Data, revealed: Data) -> None:
    world = World.installed(
        blueprint(node("db", key={"get_secret": "s"})),
        {"db": {"copied": Sensitive({"key": "copy"})}},
        inputs={"from_secret": {"get_secret": "s"}},
        secrets={"s": "Se,cret"},
        capabilities={"other": {"key": Sensitive("theirs")}},
    )
    assert world(written) == Sensitive(revealed)


def test_splitting_a_secret_gives_sensitive_parts() -> None:
    assert World(secrets={"s": "a,b"})({"string_split": [{"get_secret": "s"}, ","]}) == [Sensitive("a"), Sensitive("b")]


def test_merging_keeps_for_each_key_whether_it_is_secret() -> None:
    world = World(secrets={"s": "x"})
    assert world({"merge": [{"a": {"get_secret": "s"}}, {"b": 1}]}) == {"a": Sensitive("x"), "b": 1}


def test_a_secret_may_name_what_is_looked_up() -> None:
    world = World(secrets={"s": "zone"}, inputs={"zone": "a"})
    assert world({"get_input": {"get_secret": "s"}}) == "a"


# -- attributes ------------------------------------------------------------------------------------------------------


def test_attributes_come_from_runtime_then_identity_then_properties() -> None:
    world = World.installed(blueprint(node("db", port=1, ip="static", zone=None)), {"db": {"ip": "10.0.0.1"}})
    instance = world.instances[0]
    for name, value in {
        "ip": "10.0.0.1",
        "port": 1,
        "node_instance_id": instance.id,
        "node_instance_index": 1,
        "nothing": None,
    }.items():
        assert world({"get_attribute": ["db", name]}) == value


def test_runtime_paths_walk_lists_and_give_null_where_they_end() -> None:
    world = World.installed(blueprint(node("db")), {"db": {"net": {"ips": ["a", "b"]}}})
    assert world({"get_attribute": ["db", "net", "ips", 1]}) == "b"
    assert world({"get_attribute": ["db", "net", "ips", 5]}) is None
    assert world({"get_attribute": ["db", "net", "ips", "x", "y"]}) is None


def test_what_a_script_wrote_is_data_whatever_its_shape() -> None:
    world = World.installed(blueprint(node("db")), {"db": {"note": {"get_secret": "s"}}}, secrets={"s": "x"})
    assert world({"get_attribute": ["db", "note"]}) == {"get_secret": "s"}
    assert world({"merge": [{"get_attribute": ["db", "note"]}]}) == {"get_secret": "s"}


def test_functions_that_the_engine_wrote_are_evaluated() -> None:
    stored = {"password": {"$function": {"get_secret": "s"}}}
    world = World.installed(blueprint(node("db")), {"db": stored}, secrets={"s": "x"})
    assert world({"get_attribute": ["db", "password"]}) == Sensitive("x")
    assert evaluate_data(stored, world.at("db"), world) == {"password": Sensitive("x")}


def test_lists_and_dicts_of_attributes() -> None:
    plan = blueprint(node("db", instances=2))
    world = World.installed(plan, {"db": {"ip": "a", "net": {"port": 1}}})
    assert world({"get_attributes_list": ["db", "net", "port"]}) == [1, 1]
    first, second = (item.id for item in world.instances)
    values = {"ip": "a", "net.port": 1}
    assert world({"get_attributes_dict": ["db", "ip", ["net", "port"]]}) == {first: values, second: values}


def test_which_of_several_instances_is_meant_must_be_plain() -> None:
    world = World.installed(blueprint(node("db", instances=2)), {})
    found = fault(world, {"get_attribute": ["db", "ip"]})
    assert found.ambiguous
    assert all(item.id in found.message for item in world.instances)


def test_a_node_without_instances_is_a_fault() -> None:
    assert fault(World(plan=blueprint(node("db"))), {"get_attribute": ["db", "ip"]}).ambiguous


def test_the_one_related_instance_is_meant() -> None:
    plan = blueprint(node("vm", instances=2), node("app", relationship("contained_in", "vm")))
    world = World.installed(plan, {})
    for number in (0, 1):
        scope = world.at("app", number)
        assert scope.own is not None
        assert scope.own.instance is not None
        host = scope.own.instance.relationships[0].target
        assert world({"get_attribute": ["vm", "node_instance_id"]}, scope) == host


def test_the_instance_in_the_same_scaling_group_is_meant() -> None:
    plan = blueprint(
        node("db"),
        node("web"),
        node("app", relationship("contained_in", "web")),
        groups={"pair": ScalingGroup(members=("db", "web"), instances=Scalable(default_instances=2))},
    )
    world = World.installed(plan, {})
    found = [world({"get_attribute": ["db", "node_instance_id"]}, world.at("app", number)) for number in (0, 1)]
    assert found == [item.id for item in world.instances if item.node == "db"]


def test_living_in_one_container_does_not_tell_which_is_meant() -> None:
    plan = blueprint(
        node("vm", instances=2),
        node("a", relationship("contained_in", "vm")),
        node("b", relationship("contained_in", "vm")),
    )
    world = World.installed(plan, {})
    assert fault(world, {"get_attribute": ["a", "ip"]}, world.at("b")).ambiguous


# -- outputs ---------------------------------------------------------------------------------------------------------


def test_outputs_leave_out_missing_secrets_and_show_ambiguity() -> None:
    world = World.installed(blueprint(node("db", instances=2)), {}, secrets={"here": "x"})
    written: dict[str, Data] = {
        "gone": {"get_secret": "gone"},
        "here": {"get_secret": "here"},
        "which": {"get_attribute": ["db", "ip"]},
        "plain": 1,
    }
    found = evaluate_outputs({name: Output(value=from_data(value)) for name, value in written.items()}, world)
    assert found.pop("which").startswith("<ERROR: Node 'db' has 2 instances")
    assert reveal(found) == {"here": "x", "plain": 1}


def test_other_faults_of_outputs_are_told() -> None:
    with pytest.raises(EvaluationFault) as caught:
        evaluate_outputs({"url": Output(value=from_data({"concat": ["a", {"get_secret": "gone"}]}))}, World())
    assert caught.value.path == "outputs.url"
