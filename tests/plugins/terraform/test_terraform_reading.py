"""What a node asks for is read, or refused in words, before any binary runs; and what the plugin stands for."""

import base64
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.testing import context
from groundplan.service.plugins import choose, read_manifest
from groundplan_terraform import source, tasks
from groundplan_terraform.root_module import RootModule, Source

from ...proof.user import ROOT, user_in
from .conftest import Bench, Server

PLUGIN = ROOT / "plugins" / "groundplan_terraform" / "plugin.yaml"
BLUEPRINT = """
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml, "plugin:cloudify-terraform-plugin?version= >=0.15.0"]
node_templates:
  terraform:
    type: cloudify.nodes.terraform
    properties: {resource_config: {installation_source: "https://example.org/terraform.zip"}}
  module:
    type: cloudify.nodes.terraform.Module
    properties:
      resource_config:
        source: {location: "https://example.org/module.zip"}
        variables: {name: shop}
    relationships: [{target: terraform, type: TYPE}]
"""


def read(**config: Any) -> RootModule:
    return RootModule.from_properties({"resource_config": {"source": "module", **config}}, {})


def test_blueprints_of_the_published_plugin_are_read(tmp_path: Path) -> None:
    user, names = user_in(tmp_path), ("cloudify.terraform", "cloudify.relationships.terraform", "terraform")
    types = [f"{name}.relationships.run_on_host" for name in (names[0], names[2])] + [f"{names[1]}.run_on_host"]
    files = [user.write(f"{type_}.yaml", BLUEPRINT.replace("TYPE", type_)) for type_ in types]
    user.all_ok(*(["blueprints", "validate", file] for file in files))


def test_each_operation_has_a_function() -> None:
    manifest = read_manifest(PLUGIN, "groundplan_terraform")
    assert choose({"terraform": manifest}, "cloudify-terraform-plugin", ">=0.15.0") is manifest
    for target in manifest.operations.values():
        module, _, name = target.partition(":")
        assert callable(getattr(__import__(module, fromlist=[name]), name))


def test_flags_go_to_the_commands_that_take_them() -> None:
    flags = read(flags_override=["parallelism=2", {"refresh": False}, "-upgrade"]).flags
    assert flags["apply"] == ["-parallelism=2", "-refresh=false"]
    assert flags["init"] == ["-upgrade"]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"flags_override": ["var=password=opensesame"]}, "belong into resource_config.variables"),
        ({"source": {}}, "location is empty"),
        ({"variables": ["a"]}, "variables must be a mapping"),
        ({"store_output_secrets": {"a": "b"}}, "not there yet"),
    ],
)
def test_what_cannot_be_done_is_refused(config: dict[str, Any], words: str) -> None:
    with pytest.raises(NonRecoverableError, match=words) as raised:
        read(**config)
    assert "opensesame" not in raised.value.message


def test_companions_are_refused_before_anything_is_made(bench: Bench) -> None:
    bench.ctx.node.properties["tfsec_config"] = {"enable": True}  # type: ignore[index]
    with pytest.raises(NonRecoverableError, match="tfsec"):
        tasks.setup_linters(bench.ctx)


def test_an_archive_of_a_repository_is_its_one_folder(bench: Bench, tmp_path: Path) -> None:
    bench.blueprint.mkdir(exist_ok=True)
    with zipfile.ZipFile(bench.blueprint / "module.zip", "w") as archive:
        archive.writestr("module-master/main.tf", "# here")
        archive.writestr("module-master/../../outside.tf", "# there")

    source.fetch(bench.ctx, Source(location="module.zip"), tmp_path / "found")

    assert (tmp_path / "found" / "main.tf").read_text() == "# here"
    assert not list(tmp_path.parent.glob("outside.tf"))


def test_an_archive_is_fetched_with_its_login(bench: Bench, server: Server, tmp_path: Path) -> None:
    bench.write("# here")
    server.content["/module.zip"] = base64.b64decode(source.pack(bench.blueprint))
    found = Source(location=f"{server.url}/module.zip", username="me", password="open-sesame-4711")

    source.fetch(bench.ctx, found, tmp_path / "found")

    assert (tmp_path / "found" / "main.tf").read_text() == "# here"
    login = base64.b64encode(b"me:open-sesame-4711").decode()
    assert server.asked == [("/module.zip", f"Basic {login}")]
    assert login in bench.ctx.masked
    with pytest.raises(NonRecoverableError, match="answered 404"):
        source.fetch(bench.ctx, Source(location=f"{server.url}/none.zip"), tmp_path / "none")


def test_a_sandboxed_home_fetches_nothing_and_has_the_sandboxs_modules(tmp_path: Path) -> None:
    (tmp_path / "module").mkdir()
    settings = {"modules": {"https://example.org/shop/": str(tmp_path / "module")}}
    ctx = context(settings=settings, sandboxed=True)

    source.fetch(ctx, Source(location="https://example.org/shop/archive/main.zip"), tmp_path / "found")
    assert (tmp_path / "found").is_dir()
    with pytest.raises(NonRecoverableError, match=r"fetches no modules.*https://example.org/shop/"):
        source.fetch(ctx, Source(location="https://example.org/other.zip"), tmp_path / "other")


@pytest.mark.parametrize("location", ["git::ssh://git@example.org/module", "ftp://example.org/module.zip"])
def test_other_addresses_are_refused(location: str, bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(NonRecoverableError, match=r"archive over http"):
        source.fetch(bench.ctx, Source(location=location), tmp_path / "found")


def test_a_packed_module_comes_back_as_it_was(bench: Bench, tmp_path: Path) -> None:
    bench.write("#!/bin/sh", "module/run.sh")
    (bench.blueprint / "module" / "run.sh").chmod(0o755)

    packed = source.pack(bench.blueprint / "module")
    source.unpack(packed, tmp_path / "found")

    assert (tmp_path / "found" / "run.sh").stat().st_mode & 0o111
    assert source.pack(tmp_path / "found") == packed


@pytest.mark.parametrize("bound", ["_MOST_BYTES", "_MOST_FILES"])
@pytest.mark.parametrize("form", ["zip", "tar"])
def test_an_archive_that_would_fill_the_disk_is_refused(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, bound: str
) -> None:
    monkeypatch.setattr(source, bound, 3)
    for name in "abcd":
        bench.write("x", name)
    box = Path(shutil.make_archive(str(tmp_path / "module"), form, bench.blueprint)).replace(bench.blueprint / "packed")
    with pytest.raises(NonRecoverableError, match="holds more than"):
        source.fetch(bench.ctx, Source(location=box.name), tmp_path / "unpacked")
    assert list((tmp_path / "unpacked.unpacked").iterdir()) == []
