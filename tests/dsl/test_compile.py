"""From text to blueprint: the whole way, on small texts."""

from .writing import blueprint, faults, read

SHOP = """
    imports: [cloudify/types/types.yaml]
    inputs:
      port: {type: integer, default: 80}
    node_templates:
      host: {type: cloudify.nodes.Compute}
      shop:
        type: cloudify.nodes.WebServer
        properties: {port: {get_input: port}}
        relationships:
          - {type: cloudify.relationships.contained_in, target: host}
    outputs:
      port: {value: {get_property: [shop, port]}}
"""


def test_a_template_has_its_types_properties_and_operations() -> None:
    shop = blueprint(SHOP).nodes["shop"]
    assert shop.type_hierarchy == (
        "cloudify.nodes.Root",
        "cloudify.nodes.SoftwareComponent",
        "cloudify.nodes.WebServer",
    )
    assert shop.properties["use_external_resource"] is False
    assert shop.operations["cloudify.interfaces.lifecycle.create"].is_nop


def test_templates_that_override_nothing_share_their_types_operations() -> None:
    nodes = blueprint(SHOP + "    ").nodes
    assert blueprint(SHOP).nodes["host"].operations is not nodes["host"].operations
    twice = blueprint("""
        node_types: {t: {interfaces: {i: {op: {}}}}}
        node_templates: {a: {type: t}, b: {type: t}}
    """).nodes
    assert twice["a"].operations is twice["b"].operations


def test_independent_faults_are_found_in_one_run() -> None:
    assert faults("""
        node_types: {t: {properties: {port: {type: integer}}}}
        node_templates:
          a: {type: s}
          b: {type: t, properties: {port: eighty}}
          c: {type: t, properties: {port: 1, prot: 2}}
        outputs: {o: {value: {get_input: nobody}}}
    """) == ["node-type-unknown@4:13", "property-type@5:35", "property-unknown@6:38", "input-unknown@7:34"]


def test_a_blueprint_with_an_error_is_not_returned() -> None:
    found, report = read("node_templates: {a: {type: s}}")
    assert found is None
    assert report.has_errors


def test_a_blueprint_with_warnings_is_returned() -> None:
    found, report = read("metadata: {a: 1, a: 1}")
    assert found is not None
    assert [each.fault.code for each in report.diagnostics] == ["yaml-duplicate-same"]
