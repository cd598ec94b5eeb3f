"""The installed plugins: read once, read again when their file changes."""

from pathlib import Path

import pytest

from groundplan.diagnostics.trouble import UsageError
from groundplan.model.plugin import PluginManifest, StandIn
from groundplan.service.assembly import Engine
from groundplan.service.plugins import choose, installed, read_manifest

MANIFEST = PluginManifest(
    name="aws",
    version="1.0",
    package="groundplan_aws",
    text="",
    stands_for=(StandIn(name="cloudify-aws-plugin", version="3.2.1"),),
)


def test_every_declared_plugin_is_found(engine: Engine) -> None:
    assert {"aws", "kubernetes", "minio", "nop", "postgres", "script", "ssh"} <= set(installed(engine.store))


def test_a_plugin_is_kept_in_the_store_and_read_again_only_when_it_changes(engine: Engine) -> None:
    found = installed(engine.store)
    with engine.store.transaction() as transaction:
        fingerprint, nop = transaction.manifests()["nop"]
        transaction.put_manifest(fingerprint, PluginManifest(name="nop", version="kept", package="x", text=""))
    assert installed(engine.store)["nop"].version == "kept"
    with engine.store.transaction() as transaction:
        transaction.put_manifest("of an older file", nop)
    assert installed(engine.store) == found


@pytest.mark.parametrize(
    ("specifiers", "fits"),
    [
        ("", True),
        (">=3", True),
        (">=3,<4", True),
        (">3.2.1", False),
        ("==3.2.1", True),
        ("3.2.1", True),
        ("3.2", False),
    ],
)
def test_a_version_is_chosen_by_its_specifiers(specifiers: str, fits: bool) -> None:
    assert (choose({"aws": MANIFEST}, "cloudify-aws-plugin", specifiers) is not None) is fits


def test_nobody_stands_for_an_unknown_name() -> None:
    assert choose({"aws": MANIFEST}, "cloudify-gcp-plugin", "") is None


@pytest.mark.parametrize("text", ["", "a: [", "node_types: {}\n", "groundplan: 1\n", "groundplan: {name: x}\n"])
def test_a_manifest_that_is_not_of_the_form_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "plugin.yaml"
    file.write_text(text)
    with pytest.raises(UsageError):
        read_manifest(file, "package")


def test_a_manifest_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no readable plugin"):
        read_manifest(tmp_path / "plugin.yaml", "package")
