"""Files of a blueprint: found in order, never outside, rendered over plain data."""

from pathlib import Path

import pytest

from groundplan.runtime.foreign.machine import Machine
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.testing import BenchContext, context


def bench(*folders: Path, **namespaces: Path) -> BenchContext:
    machine = Machine(resource_folders=folders, namespaces=namespaces)
    return context(machine=machine, properties={"port": 80}, runtime_properties={"id": "i-1"})


def test_the_first_folder_wins(tmp_path: Path) -> None:
    for name in ("deployment", "blueprint"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "who").write_text(name)
    (tmp_path / "blueprint" / "only").write_text("here")
    ctx = bench(tmp_path / "deployment", tmp_path / "blueprint")

    assert (ctx.resources.read("who"), ctx.resources.read("only")) == (b"deployment", b"here")


def test_a_namespace_leads_to_the_imported_blueprint(tmp_path: Path) -> None:
    (tmp_path / "x.sh").write_text("other")

    assert bench(ns=tmp_path).resources.read("ns--x.sh") == b"other"


def test_a_file_in_a_namespace_is_looked_for_where_the_imported_text_stands(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    for folder in (own, other):
        (folder / "scripts").mkdir(parents=True)
        (folder / "scripts" / "x--y.sh").write_text(folder.name)
    resources = bench(own, net=other).resources

    found = {
        name: resources.read(f"{name}scripts/x--y.sh") for name in ("", "net--", "net--part--", "part--", "part--in--")
    }
    assert found == {
        "": b"own",
        "net--": b"other",
        "net--part--": b"other",
        "part--": b"own",
        "part--in--": b"own",
    }


@pytest.mark.parametrize(
    "path", ["../secret", "ns--../secret", "/etc/passwd", "ns--/etc/passwd", "link", "folder/../../secret", "missing"]
)
def test_nothing_outside_is_reachable(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("no")
    inside = tmp_path / "inside"
    (inside / "folder").mkdir(parents=True)
    (inside / "link").symlink_to(tmp_path / "secret")

    with pytest.raises(NonRecoverableError):
        bench(inside).resources.read(path)


def test_templates_see_ctx_and_variables(tmp_path: Path) -> None:
    (tmp_path / "t").write_text(
        "{{ ctx.node.properties.port }} {{ ctx.instance.runtime_properties['id'] }} {{ user }}\n"
    )

    assert bench(tmp_path).resources.render("t", {"user": "ann"}) == "80 i-1 ann\n"


def test_text_without_marks_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("100% {plain}")

    assert bench(tmp_path).resources.render("t", {}) == "100% {plain}"


@pytest.mark.parametrize(
    "template",
    [
        "{{ ctx.__class__.__mro__ }}",
        "{{ ctx.node.properties.update({'port': 1}) }}",
        "{{ ''.__class__.__mro__ }}",
        "{% for x in range(10**9) %}{% endfor %}",
        "{{ unclosed",
    ],
)
def test_templates_cannot_leave_the_sandbox(tmp_path: Path, template: str) -> None:
    (tmp_path / "t").write_text(template)

    with pytest.raises(NonRecoverableError):
        bench(tmp_path).resources.render("t", {})


def test_ctx_is_not_a_name_for_a_variable(tmp_path: Path) -> None:
    with pytest.raises(NonRecoverableError, match="ctx"):
        bench(tmp_path).resources.render("t", {"ctx": 1})
