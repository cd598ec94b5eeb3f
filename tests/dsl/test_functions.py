"""The forms of the intrinsic functions, and what the names in them may mean where (spec 3.1, 3.3, 3.6)."""

import pytest

from .writing import blueprint, faults

BLUEPRINT = """
    plugins: {{p: {{executor: central_deployment_agent, install: false}}}}
    inputs: {{i: {{}}, zones: {{default: [a, b]}}}}
    node_types:
      t:
        properties: {{x: {{default: {{deep: [1, {{inner: 2}}]}}}}, y: {{required: false}}}}
    relationships: {{cloudify.relationships.connected_to: {{}}}}
    node_templates:
      m: {{type: t}}
      n:
        type: t
        properties: {{y: {node}}}
        interfaces: {{i: {{op: {{implementation: p.m.f, inputs: {{a: {operation}}}}}}}}}
        relationships:
          - type: cloudify.relationships.connected_to
            target: m
            source_interfaces: {{i: {{op: {{implementation: p.m.f, inputs: {{a: {relationship}}}}}}}}}
    outputs: {{o: {{value: {output}}}}}
"""


def using(*, node: str = "1", operation: str = "1", relationship: str = "1", output: str = "1") -> str:
    return BLUEPRINT.format(node=node, operation=operation, relationship=relationship, output=output)


@pytest.mark.parametrize(
    "call",
    [
        "{concat: []}",
        "{concat: [a, 1, {get_input: i}]}",
        "{get_attribute: [m, ip]}",
        "{get_attribute: [{get_input: i}, {get_input: i}, 0, key]}",
        "{get_attributes_dict: [m, ip, [nested, path]]}",
        "{get_attributes_list: [m, ip, 0]}",
        "{get_capability: [d, c]}",
        "{get_capability: [{get_input: i}, {get_input: i}, 0]}",
        "{get_consumers: ids}",
        "{get_environment_capability: c}",
        "{get_environment_capability: [c, key, 0]}",
        "{get_group_capability: [g, c]}",
        "{get_group_capability: [g, [c, d]]}",
        "{get_group_capability: [g, 'deployment_id:c', key]}",
        "{get_input: i}",
        "{get_input: [zones, 0]}",
        "{get_input: {get_input: i}}",
        "{get_input: [{get_input: i}, {get_input: i}]}",
        "{get_input: i, type: string}",
        "{get_label: k}",
        "{get_label: [k, 0]}",
        "{get_label: {get_input: i}}",
        "{get_property: [m, x, deep, 1, inner]}",
        "{get_property: [m, x, {get_input: i}, anything]}",
        "{get_secret: s}",
        "{get_secret: [s, key, 0, {get_input: i}]}",
        "{get_secret: {get_input: i}}",
        "{get_sys: [deployment, owner]}",
        "{get_sys: [tenant, name]}",
        "{merge: [{a: 1}, {get_input: i}]}",
        "{string_find: [abc, b]}",
        "{string_lower: ABC}",
        "{string_replace: [a, b, c]}",
        "{string_replace: [a, b, c, 1]}",
        "{string_split: [a b, ' ']}",
        "{string_split: [a b, ' ', 0]}",
        "{string_upper: {get_input: i}}",
        "{get_nothing: [m]}",
        "{get_input: i, other: 1}",
    ],
)
def test_these_forms_are_right(call: str) -> None:
    blueprint(using(node=call, operation=call, relationship=call, output=call))


@pytest.mark.parametrize(
    "call",
    [
        "{get_input: 1}",
        "{get_input: {a: b}}",
        "{get_input: [i, [a]]}",
        "{get_property: [m]}",
        "{get_attribute: m}",
        "{get_attribute: [m, {a: b}]}",
        "{get_capability: d}",
        "{get_environment_capability: [c, {a: b}]}",
        "{get_label: [k, 0, 1]}",
        "{get_label: [[k], 0]}",
        "{get_secret: 5}",
        "{get_sys: [deployment]}",
        "{get_sys: [deployment, colour]}",
        "{get_consumers: [ids]}",
        "{merge: {a: 1}}",
        "{string_find: abc}",
        "{string_upper: 5}",
        "{get_attributes_dict: [m, []]}",
        "{get_attributes_dict: [m, a.b, [a, b]]}",
    ],
)
def test_these_forms_are_wrong(call: str) -> None:
    assert {code.partition("@")[0] for code in faults(using(output=call))} == {"function-arguments"}


@pytest.mark.parametrize("function", ["get_property", "get_attribute"])
@pytest.mark.parametrize(
    ("place", "keywords"),
    [("node", {"SELF"}), ("operation", {"SELF"}), ("relationship", {"SOURCE", "TARGET"}), ("output", set())],
)
def test_keywords_mean_something_in_their_scope_only(function: str, place: str, keywords: set[str]) -> None:
    right = {
        keyword
        for keyword in ("SELF", "SOURCE", "TARGET")
        if not faults(using(**{place: f"{{{function}: [{keyword}, x]}}"}))
    }
    assert right == keywords


def test_a_property_is_looked_for_in_the_template_that_the_keyword_means() -> None:
    assert faults(using(relationship="{get_property: [TARGET, y]}")) == ["reference-missing@17:97"]
    assert faults(using(relationship="{get_property: [SOURCE, y]}")) == []


def test_functions_nest_as_deep_as_they_like() -> None:
    blueprint(using(output="{concat: [{get_secret: [s, {get_input: [zones, {string_find: [a, {get_input: i}]}]}]}]}"))


def test_literal_secrets_and_capabilities_are_requirements() -> None:
    found = blueprint(
        using(
            node="{get_secret: [one, key]}",
            operation="{concat: [{get_secret: two}, {get_secret: {get_input: i}}]}",
            output="{get_environment_capability: [c, port]}",
        )
    )
    assert found.required_secrets == ("one", "two")
    assert found.required_parent_capabilities == (["c", "port"],)


def test_functions_of_a_type_are_checked_for_each_template_of_it() -> None:
    assert faults("""
        node_types:
          t:
            properties: {where: {required: false}, port: {default: {get_property: [SELF, where, port]}}}
        node_templates:
          given: {type: t, properties: {where: {port: 80}}}
          wrong: {type: t, properties: {where: {prt: 80}}}
          later: {type: t, properties: {where: {get_secret: s}}}
    """) == ["reference-missing@4:89"]


def test_a_long_chain_of_references_is_no_cycle() -> None:
    types = "node_types: {t: {properties: {x: {}}}}\nnode_templates:\n"
    links = [f"  n{k}: {{type: t, properties: {{x: {{get_property: [n{k + 1}, x]}}}}}}\n" for k in range(3000)]
    blueprint(f"{types}{''.join(links)}  n3000: {{type: t, properties: {{x: 1}}}}")


@pytest.mark.parametrize("argument", ["[]", "[{a: 1}, {b: 2}]", "[5, p]", "{a: 1}"])
def test_a_malformed_call_in_an_operation_is_told(argument: str) -> None:
    told = faults(f"""
        plugins: {{p: {{executor: central_deployment_agent, install: false}}}}
        node_types: {{t: {{}}}}
        node_templates:
          a:
            type: t
            interfaces: {{i: {{op: {{implementation: p.x, inputs: {{v: {{get_property: {argument}}}}}}}}}}}
    """)
    assert [fault.partition("@")[0] for fault in told] == ["function-arguments"]
