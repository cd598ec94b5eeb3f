"""What stands where an author wrote nothing, null or only a part: defaults, optional properties, typed functions."""

import pytest

from groundplan.model.values import to_data

from .writing import blueprint, faults

POINT = """
    data_types:
      point: {properties: {x: {default: 1}, y: {default: 2}}}
"""
EXTERNAL = """
    node_types:
      net:
        properties:
          cidr: {}
          use_external_resource: {type: boolean, default: true}
    node_templates:
"""
CALLING = """
    plugins: {p: {executor: central_deployment_agent, install: false}}
    inputs: {port: {}}
    node_types:
      t: {interfaces: {i: {op: {implementation: p.run, inputs: {port: {type: integer, default: DEFAULT}}}}}}
    node_templates:
      a: {type: t}
      b: {type: t, interfaces: {i: {op: {inputs: {port: {get_input: [port, 0]}}}}}}
"""


def test_an_inputs_default_is_completed_by_its_data_type() -> None:
    read = blueprint(POINT + "    inputs: {at: {type: point, default: {y: 3}}}")
    assert to_data(read.inputs["at"].default) == {"x": 1, "y": 3}


def test_a_null_default_leaves_a_data_type_its_own_defaults() -> None:
    read = blueprint(
        POINT
        + "    node_types: {t: {properties: {at: {type: point, default: null}}}}\n    node_templates: {a: {type: t}}"
    )
    assert to_data(read.nodes["a"].properties["at"]) == {"x": 1, "y": 2}


def test_what_is_external_by_its_type_needs_no_property() -> None:
    assert "cidr" not in blueprint(EXTERNAL + "      a: {type: net}").nodes["a"].properties


def test_a_template_that_says_it_is_not_external_needs_its_properties() -> None:
    own = EXTERNAL + "      a: {type: net, properties: {use_external_resource: false}}"
    assert faults(own) == ["property-missing@8:18"]


def test_a_typed_operation_input_asks_its_function_for_the_type() -> None:
    nodes = blueprint(CALLING.replace("DEFAULT", "{get_input: port}")).nodes
    given = {name: to_data(node.operations["i.op"].inputs["port"]) for name, node in nodes.items()}
    assert given == {
        "a": {"get_input": "port", "type": "integer"},
        "b": {"get_input": ["port", 0], "type": "integer"},
    }


@pytest.mark.parametrize("output", ["{value: null}", "{}"])
def test_an_output_needs_a_value(output: str) -> None:
    assert [fault.partition("@")[0] for fault in faults(f"outputs: {{o: {output}}}")] == ["key-missing"]


def test_null_is_no_source_of_a_plugin() -> None:
    text = "plugins: {p: {executor: central_deployment_agent, source: null}}"
    assert faults(text) == ["plugin-source@2:11"]


def test_a_key_that_is_left_empty_needs_no_newer_version() -> None:
    assert faults("resource_tags:", version="1_2") == []
    assert faults("resource_tags: {a: b}", version="1_2") == ["feature-version@2:1"]


def test_a_labels_values_are_all_asked_for_or_one_of_them_by_its_index() -> None:
    one, both = "outputs: {o: {value: {get_label: [k]}}}", "outputs: {o: {value: {get_label: [k, 0]}}}"
    assert faults(one) == ["function-arguments@2:34"]
    assert faults(both) == []


def test_null_leaves_the_number_of_instances_as_it_is_usually() -> None:
    scalable = "{scalable: {properties: {max_instances: null}}}"
    read = blueprint(f"node_types: {{t: {{}}}}\nnode_templates: {{a: {{type: t, capabilities: {scalable}}}}}")
    assert read.nodes["a"].instances.max_instances == -1


def test_a_data_type_without_a_name_is_not_the_type_of_what_has_none() -> None:
    text = """
        data_types:
          "": {properties: {inner: {}}}
          box: {properties: {"": {type: ""}}}
        inputs: {a: {type: box, default: {"": {inner: 1}}}, b: {default: 2}}
        """
    assert faults(text) == []
