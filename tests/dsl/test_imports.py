"""Imports: where each kind is looked for, what merges, what namespaces rename, and what stays inside the folder."""

from pathlib import Path

import pytest

from groundplan.diagnostics.report import Report
from groundplan.dsl.compile import compile as compile_blueprint
from groundplan.dsl.folder import DiskFolder, MemoryFolder, SourceFile
from groundplan.dsl.imports import NoFetch

from .writing import Shelf, blueprint, codes, faults, folder_of, read

TYPES = "node_types: {t: {}}\nrelationships: {cloudify.relationships.depends_on: {}}\n"


@pytest.mark.parametrize(
    "location",
    [
        "cloudify/types/types.yaml",
        "https://cloudify.co/spec/cloudify/5.1.0/types.yaml",
        "https://cloudify.co/spec/cloudify/6.4.0/types.yaml",
        "http://www.getcloudify.org/spec/cloudify/4.6/types.yaml",
    ],
)
@pytest.mark.parametrize("version", ["1_3", "1_4", "1_5"])
def test_the_standard_types_are_bundled(location: str, version: str) -> None:
    found = blueprint(
        f"imports: [{location}]\nnode_templates: {{a: {{type: cloudify.nodes.ServiceComponent, properties: "
        "{resource_config: {blueprint: {}, deployment: {}}}}}",
        version=version,
    )
    assert found.nodes["a"].operations["cloudify.interfaces.lifecycle.start"].inputs["workflow_id"] == "install"


@pytest.mark.parametrize(
    "location", ["cloudify/types/types.yaml", "http://www.getcloudify.org/spec/cloudify/3.2/types.yaml"]
)
@pytest.mark.parametrize("version", ["1_0", "1_1", "1_2"])
def test_the_oldest_blueprints_get_the_oldest_bundled_types(location: str, version: str) -> None:
    found = blueprint(
        f"imports: [{location}]\n"
        "node_templates: {a: {type: cloudify.nodes.Compute, properties: {ip: localhost}}}",
        version=version,
    )
    assert found.nodes["a"].properties["ip"] == "localhost"
    assert "check_status" not in found.workflows["heal"].parameters


def test_old_blueprints_are_told_what_they_may_not_say_beside_newer_types() -> None:
    text = (
        "imports: [cloudify/types/types.yaml]\n"
        "node_types: {t: {derived_from: cloudify.nodes.Root, properties: {p: {required: false}}}}"
    )
    assert faults(text, version="1_1") == ["feature-version@3:70"]


def test_the_bundled_types_fit_the_version_of_the_main_file() -> None:
    text = "imports: [cloudify/types/types.yaml]"
    heal = {v: blueprint(text, version=v).workflows["heal"].parameters for v in ("1_3", "1_5")}
    assert "check_status" not in heal["1_3"]
    assert "check_status" in heal["1_5"]


def test_a_file_is_looked_for_beside_the_one_that_names_it() -> None:
    main = folder_of(
        {
            "blueprint.yaml": "tosca_definitions_version: cloudify_dsl_1_3\nimports: [parts/one.yaml]\n",
            "parts/one.yaml": "imports: [two.yaml]\n",
            "parts/two.yaml": "inputs: {from_two: {}}\n",
        }
    )
    report = Report()
    found = compile_blueprint(main, NoFetch(), report)
    assert found is not None
    assert list(found.inputs) == ["from_two"]


def test_a_file_with_the_versions_suffix_comes_first() -> None:
    found = blueprint("imports: [types.yaml]", types_yaml="inputs: {plain: {}}", types_1_3_yaml="inputs: {for_1_3: {}}")
    assert list(found.inputs) == ["for_1_3"]


def test_an_address_is_fetched_and_its_own_imports_are_relative_to_it() -> None:
    shelf = Shelf(
        urls={
            "https://types.example/a/main.yaml": "imports: [inner/types.yaml]",
            "https://types.example/a/inner/types.yaml": "inputs: {from_afar: {}}",
        }
    )
    found = blueprint("imports: [https://types.example/a/main.yaml]", fetch=shelf)
    assert list(found.inputs) == ["from_afar"]


def test_files_that_import_each_other_are_read_once() -> None:
    found = blueprint("imports: [a.yaml]", a_yaml="imports: [blueprint.yaml, a.yaml]\ninputs: {x: {}}")
    assert list(found.inputs) == ["x"]


def test_a_plugin_gets_its_name_and_the_versions_asked_for() -> None:
    asked: list[tuple[str, str]] = []

    class Asking(Shelf):
        def plugin(self, name: str, specifiers: str) -> None:
            asked.append((name, specifiers))

    read("imports: ['plugin:cloudify-aws-plugin?version= >=2.5.6,<4', plugin:ssh]", fetch=Asking())
    assert asked == [("cloudify-aws-plugin", ">=2.5.6,<4"), ("ssh", "")]


def test_a_plugins_own_section_and_labels_are_left_out() -> None:
    shelf = Shelf(plugins={"p": f"groundplan: {{name: p}}\nlabels: {{a: {{values: [b]}}}}\n{TYPES}"})
    assert blueprint("imports: [plugin:p]\nnode_templates: {n: {type: t}}", fetch=shelf).labels == {}


def test_an_installed_plugin_may_be_newer_than_the_blueprint() -> None:
    declared = "plugins: {p: {executor: central_deployment_agent, install: false, properties: {tint: {}}}}\n"
    shelf = Shelf(plugins={"p": declared})
    assert set(blueprint("imports: [plugin:p]", version="1_3", fetch=shelf).plugins["p"].values) == {"tint"}
    assert faults("imports: [p.yaml]", version="1_3", p_yaml=declared) == ["feature-version@1:67"]


def test_functions_in_plugin_properties_mean_what_the_file_that_writes_them_means() -> None:
    found = blueprint(
        "imports: [out--mid.yaml]\ninputs: {colour: {}, i: {}}",
        version="1_5",
        mid_yaml="imports: [{in--paint.yaml: {tint: {get_input: colour}}}]\ninputs: {colour: {}}",
        paint_yaml="""
        plugins:
          p:
            executor: central_deployment_agent
            install: false
            properties: {tint: {}, own: {value: {get_input: i}}}
        inputs: {i: {}}
        """,
    )
    values = found.plugins["out--in--p"].values
    assert values == {"tint": {"get_input": "out--colour"}, "own": {"get_input": "out--in--i"}}
    assert faults("imports: [{a.yaml: {x: 1}}]\ninputs: {}", version="1_5", a_yaml="inputs: {i: {}}") == [
        "plugin-property@2:21"
    ]


def test_a_file_that_is_missing_silences_what_it_may_have_defined() -> None:
    assert faults("""
        imports: [nowhere.yaml]
        node_templates: {a: {type: from.nowhere, propertys: {}}}
        outputs: {o: {value: {get_input: [from_nowhere]}}}
    """) == ["import-missing@2:11", "key-unknown@3:42"]


def test_an_imported_blueprint_is_in_its_namespace_with_its_scripts() -> None:
    shelf = Shelf(
        blueprints={
            "vpc": {
                "blueprint.yaml": """
                    tosca_definitions_version: cloudify_dsl_1_3
                    imports: [cloudify/types/types.yaml]
                    inputs: {cidr: {}}
                    node_templates:
                      lan:
                        type: cloudify.nodes.Network
                        properties: {resource_id: {get_input: [cidr, 0]}}
                        interfaces: {cloudify.interfaces.lifecycle: {create: scripts/create.sh}}
                    """,
                "scripts/create.sh": "#!/bin/sh",
            }
        }
    )
    found = blueprint("imports: [net--blueprint:vpc]", fetch=shelf)
    lan = found.nodes["net--lan"]
    assert lan.type == "cloudify.nodes.Network"
    assert lan.operations["cloudify.interfaces.lifecycle.create"].inputs == {"script_path": "net--scripts/create.sh"}
    assert found.namespaces_mapping == {"net": "vpc"}
    assert found.imported_blueprints == ("vpc",)
    assert list(found.inputs) == ["net--cidr"]


def test_an_imported_blueprint_is_held_against_its_own_version() -> None:
    newer = """
        tosca_definitions_version: cloudify_dsl_1_5
        imports: [part.yaml]
        inputs:
          size: {type: integer, default: 2, constraints: [{less_than: 9, error_message: Too many.}]}
          where: {type: deployment_id, required: false}
        outputs: {both: {value: {merge: [{a: 1}, {b: 2}]}}}
        """
    part = """
        inputs: {names: {type: list, item_type: string, default: []}}
        workflows: {look: {mapping: p.look, availability_rules: {available: true}}}
        plugins: {p: {executor: central_deployment_agent, install: false, properties: {x: {type: string}}}}
        """
    shelf = Shelf(blueprints={"lan": {"blueprint.yaml": newer, "part.yaml": part}})
    found = blueprint("imports: [net--blueprint:lan]", fetch=shelf, version="1_2")
    assert sorted(found.inputs) == ["net--names", "net--size", "net--where"]
    own = "imports: [net--blueprint:lan, own.yaml]\noutputs: {o: {value: {merge: [{a: 1}]}}}"
    told = faults(own, fetch=shelf, version="1_2", own_yaml=part)
    assert [each.partition("@")[0] for each in told] == ["feature-version"] * 4


def test_namespaces_nest_outermost_first() -> None:
    found = blueprint("imports: [out--a.yaml]", a_yaml="imports: [in--b.yaml]", b_yaml="inputs: {x: {}}")
    assert list(found.inputs) == ["out--in--x"]


def test_one_file_under_two_namespaces_is_imported_twice() -> None:
    found = blueprint("imports: [a--t.yaml, b--t.yaml]", t_yaml="inputs: {x: {}}")
    assert list(found.inputs) == ["a--x", "b--x"]


def test_labels_keep_the_first_and_workflows_are_filled_up() -> None:
    found = blueprint(
        """
        imports: [more.yaml]
        plugins: {p: {executor: central_deployment_agent, install: false}}
        labels: {tier: {values: [mine]}}
        workflows: {deploy: {mapping: p.mine}}
        """,
        more_yaml="""
        labels: {tier: {values: [theirs]}}
        workflows: {deploy: {mapping: p.theirs, parameters: {x: {}}}}
        """,
    )
    assert found.labels == {"tier": {"values": ["mine"]}}
    assert found.workflows["deploy"].operation == "mine"
    assert list(found.workflows["deploy"].parameters) == ["x"]


def test_relationships_of_a_template_may_be_added_elsewhere() -> None:
    found = blueprint(
        f"imports: [more.yaml]\n{TYPES}node_templates: {{a: {{type: t}}, b: {{type: t}}}}",
        more_yaml="""
        node_templates:
          b: {relationships: [{type: cloudify.relationships.depends_on, target: a}]}
        """,
    )
    assert [each.target for each in found.nodes["b"].relationships] == ["a"]


def test_inputs_do_not_merge_before_1_3() -> None:
    assert faults("imports: [more.yaml]\ninputs: {a: {}}", version="1_2", more_yaml="inputs: {b: {}}") == [
        "section-twice@1:1"
    ]


def on_disk(folder: Path, text: str, *, allow_local_files: bool = False) -> list[str]:
    folder.mkdir(exist_ok=True)
    (folder / "blueprint.yaml").write_text(f"tosca_definitions_version: cloudify_dsl_1_3\n{text}\n")
    report = Report()
    main = SourceFile.at(folder / "blueprint.yaml", allow_local_files=allow_local_files)
    compile_blueprint(main, NoFetch(), report)
    return [found.fault.code for found in report.diagnostics]


@pytest.mark.parametrize(
    "location", ["../secret.yaml", "{absolute}", "file://{absolute}", "link.yaml", "links/secret.yaml"]
)
def test_nothing_is_read_outside_the_folder(tmp_path: Path, location: str) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("inputs: {secret: {}}")
    folder = tmp_path / "blueprint"
    folder.mkdir()
    (folder / "link.yaml").symlink_to(secret)
    (folder / "links").symlink_to(tmp_path)
    text = f"imports: [{location.format(absolute=secret)}]"
    assert on_disk(folder, text) == ["import-outside"]
    assert on_disk(folder, text, allow_local_files=True) == []


def test_a_script_outside_the_folder_is_no_script(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("#!/bin/sh")
    text = """
imports: [cloudify/types/types.yaml]
node_templates:
  a: {type: cloudify.nodes.Root, interfaces: {cloudify.interfaces.lifecycle: {create: ../run.sh}}}
"""
    assert on_disk(tmp_path / "blueprint", text) == ["implementation-unknown"]
    assert on_disk(tmp_path / "blueprint", text, allow_local_files=True) == []


def test_the_folder_of_the_process_is_never_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here.yaml").write_text("inputs: {x: {}}")
    monkeypatch.chdir(tmp_path)
    assert on_disk(tmp_path / "blueprint", "imports: [here.yaml]") == ["import-missing"]


def test_a_main_file_that_is_not_there_is_a_fault() -> None:
    report = Report()
    assert compile_blueprint(SourceFile(DiskFolder(Path("/nowhere")), "blueprint.yaml"), NoFetch(), report) is None
    assert codes(report) == ["blueprint-missing"]
    assert compile_blueprint(SourceFile(MemoryFolder(), "../blueprint.yaml"), NoFetch(), report) is None


def test_bundled_resources_are_those_of_the_package_only() -> None:
    shelf = Shelf(plugins={"p": "imports: [/etc/hostname]"}, urls={})
    for text in ("imports: [plugin:p]", f"imports: [cloudify/types/../../../../{'x' * 5000}.yaml]"):
        assert [code.partition("@")[0] for code in faults(text, fetch=shelf)] in (
            ["import-missing"],
            ["import-outside"],
        )


def test_a_file_is_read_once_however_it_is_named() -> None:
    found, report = read(
        "imports: [a.yaml, parts/../a.yaml, b.yaml, blueprint.yaml]\nmetadata: {x: 1, x: 1}",
        a_yaml="imports: [b.yaml]\ninputs: {from_a: {}, from_a: {}}",
        b_yaml="imports: [./a.yaml]\ninputs: {from_b: {}}",
    )
    assert found is not None
    assert sorted(found.inputs) == ["from_a", "from_b"]
    assert codes(report) == ["yaml-duplicate-same@3:18", "yaml-duplicate-same@2:22"]


def test_a_workflow_may_be_mapped_in_two_files_alike() -> None:
    plugins = "plugins: {p: {executor: central_deployment_agent, install: false}}"
    text = f"imports: [a.yaml]\n{plugins}\nworkflows: {{w: p.run}}"
    assert blueprint(text, a_yaml="workflows: {w: p.run}").workflows["w"].operation == "run"
    assert faults(text, a_yaml="workflows: {w: p.other}") == ["defined-twice@1:13"]
