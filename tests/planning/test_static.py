"""What is tried before a deployment exists, and what its functions need (spec 3.5, 6.4)."""

from groundplan.model.blueprint import Blueprint, Operation, Output
from groundplan.model.types import Schema
from groundplan.model.values import Data, from_data
from groundplan.planning.evaluate import Scope
from groundplan.planning.static import capability_uses, secrets_needed, try_blueprint, try_static

from .builders import blueprint, node
from .world import World

PARAMS = {"aws": {"dev-small": {"network": {"blueprint": "single_node"}}}}


def tried(written: Data, **known: object) -> list[str]:
    faults = try_static(from_data(written), Scope.of_outputs("outputs.o"), World(**known))  # type: ignore[arg-type]
    return [fault.message for fault in faults]


def test_what_can_be_evaluated_has_no_fault() -> None:
    written = {"concat": [{"get_secret": ["p", "aws", {"get_input": "env"}, "network", "blueprint"]}, "!"]}
    assert tried(written, secrets={"p": PARAMS}, inputs={"env": "dev-small"}) == []


def test_every_unknown_secret_is_named() -> None:
    written = [{"get_secret": "a"}, {"x": {"concat": [{"get_secret": "b"}, {"get_secret": ["c", "k"]}]}}]
    assert tried(written) == ["There is no secret 'a'.", "There is no secret 'b'.", "There is no secret 'c'."]


def test_a_missing_key_is_named_with_the_way_to_it_and_what_is_there() -> None:
    written = {"get_secret": ["p", "aws", {"get_input": "env"}, "network", "blueprint"]}
    assert tried(written, secrets={"p": PARAMS}, inputs={"env": "dev-smal"}) == [
        "Secret 'p' at ['aws'] has no key 'dev-smal'; the keys there are dev-small; did you mean 'dev-small'?"
    ]


def test_a_path_that_leads_nowhere_in_an_input_is_told() -> None:
    (fault,) = tried({"get_input": ["net", "cird"]}, inputs={"net": {"cidr": "10.0.0.0/8"}})
    assert "'cird'" in fault
    assert "did you mean 'cidr'?" in fault


def test_what_depends_on_run_time_is_left_alone() -> None:
    run_time = {"get_attribute": ["vm", "ip"]}
    assert tried(run_time) == []
    assert tried({"concat": ["a", run_time]}) == []
    assert tried({"get_secret": ["nope", run_time]}) == []
    assert tried({"get_capability": ["nope", "nope"]}) == []
    assert tried({"get_input": ["late", "deep", 3]}, inputs={"late": run_time}) == []
    assert tried({"get_input": "late", "type": "integer"}, inputs={"late": run_time}) == []


def test_faults_beside_and_inside_what_is_left_are_found() -> None:
    written = {"concat": [{"get_attribute": [{"get_input": "nope"}, "ip"]}, {"get_secret": "gone"}]}
    assert tried(written) == ["There is no input 'nope'.", "There is no secret 'gone'."]


def test_secrets_that_a_secret_names_are_tried_too() -> None:
    secrets = {"p": {"inputs": {"key": {"get_secret": "gone"}}}}
    assert tried({"get_secret": ["p", "inputs"]}, secrets=secrets) == ["There is no secret 'gone'."]


def test_deep_nesting_is_tried_once_a_level() -> None:
    written: Data = {"get_secret": "gone"}
    for _ in range(45):
        written = {"concat": [written]}
    assert tried(written) == ["There is no secret 'gone'."]


def whole() -> Blueprint:
    create = Operation(plugin="p", operation="o", inputs={"key": from_data({"get_secret": ["op", "k"]})})
    plan = blueprint(
        node("db", operations={"i.create": create}, key={"a": [{"get_secret": "gone"}]}, same={"get_secret": "gone"}),
        inputs={"region": Schema(has_default=True, default=from_data({"get_secret": "default"}))},
    )
    url = {"a": ["x", {"concat": [{"get_capability": [{"get_input": "net"}, "id"]}]}]}
    late = {"get_capability": [{"get_attribute": ["db", "name"]}, "id"]}
    outputs = {"url": Output(value=from_data(url)), "late": Output(value=from_data(late))}
    return Blueprint(**{name: getattr(plan, name) for name in ("version", "nodes", "inputs")}, outputs=outputs)


def test_a_blueprint_is_tried_everywhere_and_each_fault_told_once() -> None:
    world = World(plan=whole(), inputs={"region": {"get_secret": "default"}, "net": "net1"})
    assert [(fault.path, fault.message) for fault in try_blueprint(whole(), world)] == [
        ("inputs.region", "There is no secret 'default'."),
        ("node_templates.db.properties.key.a[0]", "There is no secret 'gone'."),
        ("node_templates.db.i.create.inputs.key", "There is no secret 'op'."),
    ]


def test_secrets_that_are_named_literally() -> None:
    assert secrets_needed(whole()) == ["default", "gone", "op"]


def test_uses_of_other_deployments_and_where_they_stand() -> None:
    world = World(plan=whole(), inputs={"region": "eu", "net": "net1"})
    assert [(use.path, use.function, use.target) for use in capability_uses(whole(), world)] == [
        ("outputs.url.a[1][0]", "get_capability", "net1"),
        ("outputs.late", "get_capability", None),
    ]
