"""How types inherit, and how a template lies over its type (spec 2.1 to 2.3)."""

import pytest

from groundplan.model.values import to_data

from .writing import blueprint, faults

PLUGINS = (
    "plugins: {p: {executor: central_deployment_agent, install: false}, q: {executor: host_agent, install: false}}\n"
)


def properties(text: str, node: str = "n") -> dict[str, object]:
    return {name: to_data(value) for name, value in blueprint(text).nodes[node].properties.items()}


def operations(text: str) -> dict[str, tuple[str, dict[str, object]]]:
    """Return (operation, inputs) by name, of the node n."""
    found = blueprint(PLUGINS + text).nodes["n"].operations
    return {
        name: (each.operation, {key: to_data(value) for key, value in each.inputs.items()})
        for name, each in found.items()
    }


def test_a_declared_property_replaces_the_parents_wholesale() -> None:
    text = """
        node_types:
          a: {properties: {x: {type: integer, default: 1}, y: {default: 2}}}
          b: {derived_from: a, properties: {x: {type: string}}}
        node_templates: {n: {type: b}}
    """
    assert faults(text) == ["property-missing@5:18"]


def test_untyped_mappings_are_replaced_and_typed_ones_completed() -> None:
    assert properties("""
        data_types: {pair: {properties: {a: {default: 1}, b: {default: 2}}}}
        node_types:
          t:
            properties:
              plain: {default: {a: 1, b: 2}}
              typed: {type: pair, default: {a: 3}}
        node_templates: {n: {type: t, properties: {plain: {b: 9}, typed: {b: 9}}}}
    """) == {"plain": {"b": 9}, "typed": {"a": 3, "b": 9}}


def test_a_childs_default_lies_over_its_parents_when_both_have_the_same_data_type() -> None:
    assert properties("""
        data_types: {pair: {properties: {a: {default: 1}, b: {default: 2}}}}
        node_types:
          t: {properties: {p: {type: pair, default: {a: 3}}}}
          u: {derived_from: t, properties: {p: {type: pair, default: {b: 4}}}}
        node_templates: {n: {type: u}}
    """) == {"p": {"a": 3, "b": 4}}


def test_a_property_of_a_data_type_has_that_types_defaults() -> None:
    assert properties("""
        data_types: {pair: {properties: {a: {default: 1}, b: {required: false}}}}
        node_types: {t: {properties: {p: {type: pair}}}}
        node_templates: {n: {type: t}}
    """) == {"p": {"a": 1}}


def test_an_optional_value_that_is_not_there_misses_no_fields() -> None:
    assert (
        properties("""
        data_types: {pair: {properties: {a: {}}}}
        node_types: {t: {properties: {p: {type: pair, required: false}}}}
        node_templates: {n: {type: t}}
    """)
        == {}
    )


def test_null_is_a_default_and_a_value() -> None:
    assert properties("""
        node_types: {t: {properties: {p: {type: integer, default: null}, q: {type: integer}}}}
        node_templates: {n: {type: t, properties: {q: null}}}
    """) == {"p": None, "q": None}


def test_an_external_resource_needs_no_properties() -> None:
    assert properties("""
        node_types: {t: {properties: {use_external_resource: {default: false}, p: {}}}}
        node_templates: {n: {type: t, properties: {use_external_resource: true}}}
    """) == {"use_external_resource": True}


def test_a_type_may_be_declared_before_its_parent() -> None:
    found = blueprint("node_types: {b: {derived_from: a}, a: {}}\nnode_templates: {n: {type: b}}")
    assert found.nodes["n"].type_hierarchy == ("a", "b")


@pytest.mark.parametrize("child", ["{}", "null", "{max_retries: 9}"])
def test_a_childs_operation_without_implementation_hides_the_parents(child: str) -> None:
    assert operations(f"""
node_types:
  a: {{interfaces: {{i: {{op: p.m.f, other: p.m.g}}}}}}
  b: {{derived_from: a, interfaces: {{i: {{op: {child}}}}}}}
node_templates: {{n: {{type: b}}}}
""") == {"i.op": ("", {}), "i.other": ("m.g", {})}


TYPE = """
node_types:
  t:
    interfaces:
      i:
        op:
          implementation: p.m.f
          max_retries: 3
          timeout: 60
          inputs: {a: {default: 1}, b: {default: 2}}
"""


@pytest.mark.parametrize(
    ("own", "operation", "inputs", "retries", "timeout"),
    [
        ("", "m.f", {"a": 1, "b": 2}, 3, 60),
        ("op: {}", "", {}, None, None),
        ("op: null", "", {}, None, None),
        ("op: {inputs: {b: 9, c: 7}}", "m.f", {"a": 1, "b": 9, "c": 7}, 3, 60),
        ("op: {implementation: p.m.f, max_retries: 0}", "m.f", {"a": 1, "b": 2}, 0, 60),
        ("op: {timeout: 5}", "m.f", {"a": 1, "b": 2}, 3, 5),
        ("op: {implementation: p.m.g, inputs: {c: 7}}", "m.g", {"c": 7}, None, None),
        ("op: p.m.g", "m.g", {}, None, None),
    ],
)
def test_a_templates_operation_over_its_types(
    own: str, operation: str, inputs: dict[str, int], retries: int | None, timeout: int | None
) -> None:
    text = f"{PLUGINS}{TYPE}node_templates: {{n: {{type: t, interfaces: {{i: {{{own}}}}}}}}}"
    found = blueprint(text).nodes["n"].operations["i.op"]
    assert (found.operation, found.inputs, found.max_retries, found.timeout) == (operation, inputs, retries, timeout)


def test_a_templates_operation_over_a_no_op_is_as_written() -> None:
    assert operations("""
node_types: {t: {interfaces: {i: {op: {}}}}}
node_templates: {n: {type: t, interfaces: {i: {op: {implementation: p.m.f, inputs: {a: 1}}, new: p.m.g}}}}
""") == {"i.op": ("m.f", {"a": 1}), "i.new": ("m.g", {})}


def test_the_operations_executor_wins_over_the_plugins() -> None:
    found = (
        blueprint(
            PLUGINS
            + """
node_types: {t: {interfaces: {i: {mine: {implementation: q.m.f, executor: central_deployment_agent}, theirs: p.m.f}}}}
node_templates: {n: {type: t}}
"""
        )
        .nodes["n"]
        .operations
    )
    assert {each.executor for each in found.values()} == {"central_deployment_agent"}


def test_types_that_no_template_uses_may_name_unknown_implementations() -> None:
    blueprint("node_types: {t: {interfaces: {i: {op: nobody.m.f}}}}")


def test_a_file_beats_a_plugin_of_the_same_prefix() -> None:
    found = blueprint(
        """
        plugins:
          p: {executor: central_deployment_agent, install: false}
          script: {executor: host_agent, install: false}
        node_types: {t: {interfaces: {i: {op: p.sh}}}}
        node_templates: {n: {type: t}}
        """,
        p_sh="#!/bin/sh",
    )
    operation = found.nodes["n"].operations["i.op"]
    assert (operation.operation, operation.executor) == ("script_runner.tasks.run", "auto")
    assert operation.inputs == {"script_path": "p.sh"}


@pytest.mark.parametrize("script", ["https://scripts.example/run.sh", '"#!/bin/sh\\necho\\n"'])
def test_addresses_and_inline_text_are_scripts(script: str) -> None:
    found = blueprint(f"""
plugins: {{script: {{executor: host_agent, install: false}}}}
node_types: {{t: {{interfaces: {{i: {{op: {script}}}}}}}}}
node_templates: {{n: {{type: t}}}}
""")
    assert found.nodes["n"].operations["i.op"].operation == "script_runner.tasks.run"


def test_a_host_agents_operation_needs_a_host_somewhere_above() -> None:
    text = (
        PLUGINS
        + """
node_types:
  cloudify.nodes.Compute: {}
  t: {interfaces: {i: {op: q.m.f}}}
relationships: {cloudify.relationships.contained_in: {}}
node_templates:
  host: {type: cloudify.nodes.Compute}
  middle: {type: t, relationships: [{type: cloudify.relationships.contained_in, target: host}]}
  inside: {type: t, relationships: [{type: cloudify.relationships.contained_in, target: middle}]}
  alone: {type: t}
"""
    )
    assert faults(text) == ["host-missing@12:3"]


def test_relationships_follow_the_same_rules() -> None:
    relationship = (
        blueprint(
            PLUGINS
            + """
node_types: {t: {}}
relationships:
  cloudify.relationships.connected_to:
    properties: {connection_type: {default: all_to_all}}
    source_interfaces: {i: {establish: {implementation: p.m.f, inputs: {a: {default: 1}}}}}
node_templates:
  a: {type: t}
  n:
    type: t
    relationships:
      - type: cloudify.relationships.connected_to
        target: a
        properties: {connection_type: all_to_one}
        source_interfaces: {i: {establish: {inputs: {a: 2}}}}
        target_interfaces: {i: {unlink: p.m.g}}
"""
        )
        .nodes["n"]
        .relationships[0]
    )
    assert relationship.properties == {"connection_type": "all_to_one"}
    assert relationship.source_operations["i.establish"].inputs == {"a": 2}
    assert relationship.target_operations["i.unlink"].operation == "m.g"


def test_an_input_that_the_type_needs_may_come_from_the_template() -> None:
    text = (
        "node_types: {t: {interfaces: {i: {stop: p.stop, start: {implementation: p.start, inputs: {port: {}}}}}}}\n"
        "node_templates: {n: {type: t, interfaces: {i: {start: {inputs: {GIVEN: 80}}}}}}\n"
    )
    assert operations(text.replace("GIVEN", "port")) == {"i.stop": ("stop", {}), "i.start": ("start", {"port": 80})}
    assert faults(PLUGINS + text.replace("GIVEN", "host")) == ["operation-input-missing@4:48"]
