"""Objects in files beside the blueprint: rendered, applied in their order, deleted the other way round."""

import pytest
from kubernetes import client

from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.testing import run_twice
from groundplan_kubernetes import resources

from .conftest import Bench, Definition

FILE = "cloudify.kubernetes.resources.FileDefinedResource"


def names(core: client.CoreV1Api, namespace: str) -> set[str]:
    found = {item.metadata.name for item in core.list_namespaced_config_map(namespace).items}
    return found - {"kube-root-ca.crt"}


def test_the_objects_of_a_file_are_applied_and_deleted(
    bench: Bench, core: client.CoreV1Api, namespace: str, config_map: Definition
) -> None:
    path = bench.file("two.yaml", config_map("one"), config_map("two"))
    ctx = bench.node(file={"resource_path": path, "target_path": None}, node_type=FILE)
    run_twice(resources.create, ctx)
    noted = ctx.instance.runtime_properties["kubernetes"]
    assert isinstance(noted, list)
    assert [item["metadata"]["name"] for item in noted if isinstance(item, dict)] == ["one", "two"]
    assert names(core, namespace) == {"one", "two"}
    run_twice(resources.delete, ctx)
    assert names(core, namespace) == set()


def test_a_file_is_rendered_with_its_variables(bench: Bench, core: client.CoreV1Api, namespace: str) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ shop }}', namespace: '{{ space }}'}\n---\n"
    file = {
        "resource_path": bench.file("t.yaml", text=text),
        "template_variables": {"shop": "toys", "space": namespace},
    }
    resources.create(bench.node(file=file, node_type=FILE))
    assert names(core, namespace) == {"toys"}


def test_several_files_are_one_node(
    bench: Bench, core: client.CoreV1Api, namespace: str, config_map: Definition
) -> None:
    files = [{"resource_path": bench.file(f"{name}.yaml", config_map(name))} for name in ("a", "b")]
    ctx = bench.node(files=files, node_type="cloudify.kubernetes.resources.MultipleFileDefinedResources")
    resources.create(ctx)
    assert names(core, namespace) == {"a", "b"}
    assert resources.check_status(ctx) == {"ConfigMap a": "ready", "ConfigMap b": "ready"}
    resources.update(bench.node(files=files[:1], runtime=ctx.instance.runtime_properties))
    assert names(core, namespace) == {"a"}


def test_a_list_is_its_items(bench: Bench, core: client.CoreV1Api, namespace: str, config_map: Definition) -> None:
    whole = {"apiVersion": "v1", "kind": "List", "items": [config_map("a"), config_map("b")]}
    resources.create(bench.node(file={"resource_path": bench.file("list.yaml", whole)}, node_type=FILE))
    assert names(core, namespace) == {"a", "b"}


def test_what_an_attempt_that_failed_half_way_made_is_deleted(
    bench: Bench, core: client.CoreV1Api, namespace: str, config_map: Definition
) -> None:
    spoilt = config_map("spoilt") | {"kind": "Nonsense"}
    ctx = bench.node(file={"resource_path": bench.file("half.yaml", config_map("made"), spoilt)}, node_type=FILE)
    with pytest.raises(NonRecoverableError, match="knows no Nonsense"):
        resources.create(ctx)
    assert names(core, namespace) == {"made"}
    resources.delete(ctx)
    assert names(core, namespace) == set()


def test_what_looks_like_a_date_is_text(bench: Bench, core: client.CoreV1Api, namespace: str) -> None:
    text = f"kind: ConfigMap\nmetadata: {{name: dated, namespace: {namespace}}}\ndata: {{since: 2026-01-01}}\n"
    resources.create(bench.node(file={"resource_path": bench.file("dated.yaml", text=text)}, node_type=FILE))
    assert core.read_namespaced_config_map("dated", namespace).data == {"since": "2026-01-01"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 2000, "nested too deep"),
        ("", "hold no object"),
        ("---\n", "hold no object"),
        ("- a\n", "something else"),
        ("a: [", "not YAML"),
    ],
)
def test_a_file_without_objects_is_final(bench: Bench, text: str, words: str) -> None:
    path = bench.file("empty.yaml", text=text or "# nothing\n")
    with pytest.raises(NonRecoverableError, match=words):
        resources.create(bench.node(file={"resource_path": path}, node_type=FILE))


@pytest.mark.parametrize("path", ["missing.yaml", "../scratch", "/etc/hostname"])
def test_a_file_that_the_blueprint_lacks_is_final(bench: Bench, path: str) -> None:
    with pytest.raises(NonRecoverableError):
        resources.create(bench.node(file={"resource_path": path}, node_type=FILE))


def test_a_node_without_objects_is_final(bench: Bench) -> None:
    with pytest.raises(NonRecoverableError, match="neither a definition nor a file"):
        resources.create(bench.node())
