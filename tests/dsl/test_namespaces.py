"""Names in a namespace: what is renamed, where it is used too, and what keeps its name (spec 1.4)."""

from groundplan.diagnostics.report import Report
from groundplan.dsl.namespaces import qualify
from groundplan.dsl.reader import read
from groundplan.model.values import Map, to_data


def qualified(text: str) -> dict[str, object]:
    document = read(text, "text", Report())
    assert document is not None
    assert isinstance(document.root, Map)
    return {key: to_data(field.value) for key, field in qualify(document.root.entries, "ns").items()}


def test_templates_and_what_they_name() -> None:
    assert qualified("""
        node_templates:
          n:
            type: t
            properties: {a: {get_property: [m, x, {get_input: i}]}, b: {get_attribute: [SELF, x]}, c: {get_secret: s}}
            interfaces: {i: {op: p.m.f, script: {implementation: scripts/x.sh, inputs: {v: {get_input: [i, 0]}}}}}
            relationships: [{type: cloudify.relationships.depends_on, target: m}]
    """) == {
        "node_templates": {
            "ns--n": {
                "type": "ns--t",
                "properties": {
                    "a": {"get_property": ["ns--m", "x", {"get_input": "ns--i"}]},
                    "b": {"get_attribute": ["SELF", "x"]},
                    "c": {"get_secret": "s"},
                },
                "interfaces": {
                    "i": {
                        "op": "ns--p.m.f",
                        "script": {
                            "implementation": "ns--scripts/x.sh",
                            "inputs": {"v": {"get_input": ["ns--i", 0]}},
                        },
                    }
                },
                "relationships": [{"type": "cloudify.relationships.depends_on", "target": "ns--m"}],
            }
        }
    }


def test_types_inputs_and_schemas() -> None:
    assert qualified("""
        inputs: {i: {type: pair, default: {get_input: j}}}
        data_types: {pair: {properties: {a: {type: string}}}}
        node_types: {t: {derived_from: cloudify.nodes.Root, properties: {p: {type: pair}}}, u: {derived_from: t}}
    """) == {
        "inputs": {"ns--i": {"type": "ns--pair", "default": {"get_input": "ns--j"}}},
        "data_types": {"ns--pair": {"properties": {"a": {"type": "string"}}}},
        "node_types": {
            "ns--t": {"derived_from": "cloudify.nodes.Root", "properties": {"p": {"type": "ns--pair"}}},
            "ns--u": {"derived_from": "ns--t"},
        },
    }


def test_groups_policies_workflows_and_labels() -> None:
    assert qualified("""
        groups: {g: {members: [n], policies: {p: {type: k, triggers: {t: {type: r}}}}}}
        policies: {s: {type: cloudify.policies.scaling, targets: [g], properties: {max_instances: {get_input: i}}}}
        workflows: {w: p.m.f, v: {mapping: p.m.g, availability_rules: {node_types_required: [t, cloudify.nodes.Root]}}}
        labels: {l: {values: [{get_input: i}]}}
        description: Stays.
    """) == {
        "groups": {
            "ns--g": {"members": ["ns--n"], "policies": {"p": {"type": "ns--k", "triggers": {"t": {"type": "ns--r"}}}}}
        },
        "policies": {
            "ns--s": {
                "type": "cloudify.policies.scaling",
                "targets": ["ns--g"],
                "properties": {"max_instances": {"get_input": "ns--i"}},
            }
        },
        "workflows": {
            "ns--w": "ns--p.m.f",
            "ns--v": {
                "mapping": "ns--p.m.g",
                "availability_rules": {"node_types_required": ["ns--t", "cloudify.nodes.Root"]},
            },
        },
        "labels": {"ns--l": {"values": [{"get_input": "ns--i"}]}},
        "description": "Stays.",
    }


def test_addresses_and_inline_scripts_keep_their_text() -> None:
    text = 'node_types: {t: {interfaces: {i: {a: "https://x.example/a.sh", b: "#!/bin/sh\\necho"}}}}'
    operations = {"a": "https://x.example/a.sh", "b": "#!/bin/sh\necho"}
    assert qualified(text) == {"node_types": {"ns--t": {"interfaces": {"i": operations}}}}


def test_names_that_look_like_primitive_types_are_names_all_the_same() -> None:
    assert qualified(
        "inputs: {string: {type: string}}\nnode_templates: {list: {type: t, relationships: [{target: float}]}}"
    ) == {
        "inputs": {"ns--string": {"type": "string"}},
        "node_templates": {"ns--list": {"type": "ns--t", "relationships": [{"target": "ns--float"}]}},
    }
