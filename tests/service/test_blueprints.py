"""Uploading, replacing and deleting blueprints."""

import shutil
from pathlib import Path

import pytest

from groundplan.diagnostics.trouble import Conflict, NotFound, UsageError
from groundplan.model.ids import BlueprintId, DeploymentId
from groundplan.service import blueprints, deployments
from groundplan.service.assembly import Engine, now, open_engine
from groundplan.state.store import FilePart, StoreFault

from .conftest import Write

ONE = "node_templates: {one: {type: groundplan.nodes.Nop}}\n"
TWO = "node_templates: {two: {type: groundplan.nodes.Nop}}\n"


def upload(engine: Engine, file: Path, **more: object) -> blueprints.Uploaded:
    """Upload a file."""
    return blueprints.upload(engine.store, engine.home, engine.fetch, file, now(), **more)


def test_a_new_blueprint_is_created_and_the_same_again_is_not(engine: Engine, write: Write) -> None:
    assert [upload(engine, write(ONE)).change for _ in range(2)] == ["created", "unchanged"]


def test_other_content_is_a_conflict_and_stores_nothing(engine: Engine, write: Write) -> None:
    first = upload(engine, write(ONE)).blueprint
    with pytest.raises(Conflict, match="other content"):
        upload(engine, write(TWO))
    assert blueprints.listing(engine.store) == [first]


def test_other_content_may_take_its_place_and_deployments_do_not_notice(engine: Engine, write: Write) -> None:
    shop = upload(engine, write(ONE)).blueprint
    new = deployments.NewDeployment(id=DeploymentId("d"), blueprint=shop.id)
    deployments.create(engine.store, engine.library, new, now())
    assert upload(engine, write(TWO), replace=True).change == "replaced"
    with engine.store.snapshot() as snapshot:
        world = engine.library.world(snapshot, deployments.existing(snapshot, DeploymentId("d")))
    assert list(world.blueprint.nodes) == ["one"]


@pytest.mark.parametrize(
    ("body", "folder", "name", "expected"),
    [
        ("metadata: {id: my-shop}\n", "shop", "blueprint.yaml", "my-shop"),
        ("", "my_shop", "blueprint.yaml", "my-shop"),
        ("", "shop", "other.yaml", "shop.other.yaml"),
    ],
)
def test_where_an_id_comes_from(engine: Engine, write: Write, body: str, folder: str, name: str, expected: str) -> None:
    assert upload(engine, write(body + ONE, folder, name)).blueprint.id == expected


def test_a_changed_script_beside_it_is_other_content(engine: Engine, write: Write) -> None:
    file = write(ONE)
    (file.parent / "run.sh").write_text("echo 1")
    upload(engine, file)
    (file.parent / "run.sh").write_text("echo 2")
    with pytest.raises(Conflict):
        upload(engine, file)


def test_links_in_the_folder_are_not_kept(engine: Engine, write: Write) -> None:
    file = write(ONE)
    (file.parent / "passwords").symlink_to("/etc/passwd")
    kept = engine.home.blueprint_folder(upload(engine, file).blueprint.digest)
    assert [path.name for path in kept.iterdir()] == ["blueprint.yaml"]


def test_a_home_inside_the_folder_is_not_kept(write: Write) -> None:
    file = write(ONE)
    with open_engine({"GROUNDPLAN_HOME": str(file.parent / "home")}) as engine:
        assert [upload(engine, file).change for _ in range(2)] == ["created", "unchanged"]
        (kept,) = engine.home.blueprints.iterdir()
        assert [path.name for path in kept.iterdir()] == ["blueprint.yaml"]


def test_a_blueprint_in_the_home_itself_is_refused(engine: Engine, write: Write) -> None:
    file = engine.home.path / "blueprint.yaml"
    engine.home.path.mkdir()
    file.write_text(write(ONE).read_text())
    with pytest.raises(UsageError, match="the home itself"):
        upload(engine, file)


def test_a_blueprint_with_errors_is_refused_and_not_kept(engine: Engine, write: Write) -> None:
    with pytest.raises(blueprints.Refused) as refused:
        upload(engine, write("node_templates: {one: {type: no.such.Type}}\n"))
    assert refused.value.report.has_errors
    assert blueprints.listing(engine.store) == []


def test_a_blueprint_in_use_is_not_deleted(engine: Engine, write: Write) -> None:
    shop = upload(engine, write(ONE)).blueprint
    new = deployments.NewDeployment(id=DeploymentId("d"), blueprint=shop.id)
    deployments.create(engine.store, engine.library, new, now())
    with pytest.raises(Conflict, match="used by deployments: d"):
        blueprints.delete(engine.store, shop.id)


def test_a_blueprint_that_is_not_there_is_not_found(engine: Engine) -> None:
    with pytest.raises(NotFound):
        blueprints.delete(engine.store, BlueprintId("nothing"))


def test_every_blueprint_of_a_tree_is_found_and_nothing_else(write: Write) -> None:
    first, second = write(ONE, "b"), write(ONE, "a", "second.yaml")
    (first.parent / "types.yaml").write_text("node_types: {}\n")
    (first.parent / "said.yaml").write_text("text: tosca_definitions_version is a key\n")
    assert blueprints.find_files(first.parents[1]) == [second, first]


def test_a_tree_without_blueprints_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no blueprint"):
        blueprints.find_files(tmp_path)


def test_files_that_the_home_lacks_come_from_the_store(engine: Engine, write: Write) -> None:
    file = write("")
    script = file.parent / "scripts" / "run.sh"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n" + "x" * 2_000_000)
    script.chmod(0o755)
    digest = upload(engine, file).blueprint.digest
    shutil.rmtree(engine.home.blueprint_folder(digest))
    folder = engine.files.folder(digest)
    assert (folder / "scripts" / "run.sh").read_text() == script.read_text()
    assert (folder / "scripts" / "run.sh").stat().st_mode & 0o111
    assert (folder / "blueprint.yaml").read_bytes() == file.read_bytes()


def test_a_file_that_would_lie_outside_of_its_folder_is_not_written(engine: Engine) -> None:
    with engine.store.transaction() as transaction:
        transaction.put_blueprint_files("evil", [FilePart("../../key", 0, 0o644, b"")])
    with pytest.raises(StoreFault, match="outside"):
        engine.files.folder("evil")


def test_one_that_is_imported_stays_with_its_files(engine: Engine, write: Write) -> None:
    lan = write("metadata: {id: lan}\n" + ONE, "lan")
    (lan.parent / "run.sh").write_text("#!/bin/sh\n")
    upload(engine, lan)
    importing = write("", "top")
    importing.write_text(importing.read_text().replace("plugin:groundplan-nop", "net--blueprint:lan"))
    top = upload(engine, importing).blueprint
    with pytest.raises(Conflict, match="imported by top"):
        blueprints.delete(engine.store, BlueprintId("lan"))
    with engine.store.snapshot() as snapshot:
        found = engine.library.blueprint(snapshot, top.digest)
    folders = engine.settings.imported(found)
    assert [(name, (folder / "run.sh").exists()) for name, folder in folders.items()] == [("net", True)]
    blueprints.delete(engine.store, top.id)
    blueprints.delete(engine.store, BlueprintId("lan"))
    assert engine.settings.imported(found) == {}
