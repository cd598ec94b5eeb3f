"""A home whose store is in PostgreSQL: environments are made, installed, cancelled, resumed and deleted in it."""

import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from groundplan.state.migrations import upgrade

from ..proof.postgres import PASSWORD, PostgresServer
from ..proof.user import User, user_in
from .marks import Marks, plant

HELLO = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml]
    node_templates:
      hello:
        type: cloudify.nodes.Root
        interfaces: {cloudify.interfaces.lifecycle: {create: hello.sh}}
    capabilities:
      greeting: {value: {get_attribute: [hello, greeting]}}
"""

SHOP = """
    tosca_definitions_version: cloudify_dsl_1_5
    imports: [cloudify/types/types.yaml, plugin:groundplan-nop]
    inputs: {size: {type: integer, default: 1}}
    node_templates:
      db: {type: groundplan.nodes.Nop, properties: {fail: [check_status], values: {size: {get_input: size}}}}
      web:
        type: groundplan.nodes.Nop
        relationships: [{type: groundplan.relationships.Nop, target: db}]
    workflows:
      play: {mapping: play.py}
"""
PLAY = """
from cloudify.workflows import ctx
for instance in ctx.node_instances:
    instance.execute_operation("cloudify.interfaces.lifecycle.poststart").get()
seen = ctx.local_task(lambda: 7, name="seen").get()
ctx.logger.info(f"saw {seen}")
"""


@pytest.fixture(scope="module")
def server(durable_server: PostgresServer) -> PostgresServer:
    """A PostgreSQL server."""
    return durable_server


@pytest.fixture
def planted(server: PostgresServer, tmp_path: Path) -> Iterator[tuple[User, Marks]]:
    """A user whose store is a fresh database, with the composed blueprints uploaded."""
    with server.database() as name:
        yield plant(tmp_path, deployments={"shop": "parent"}, GROUNDPLAN_DATABASE_URL=server.url(name))


def test_a_composed_environment_lives_its_whole_life(planted: tuple[User, Marks]) -> None:
    user, marks = planted
    marks.hold.touch()
    with user.running("executions", "start", "install", "-d", "shop") as process:
        marks.wait_for_begin()
        process.send_signal(signal.SIGINT)
        user.ok("executions", "cancel", user.latest("shop")["id"])
        marks.hold.unlink()
        process.communicate(timeout=60)
    execution = user.latest("shop")
    assert execution["status"] == "cancelled"
    user.ok("executions", "resume", execution["id"])
    assert set(user.states("shop").values()) == {"started"}
    assert {item["id"] for item in user.json("deployments", "list")} == {"shop", "left", "right"}
    assert max(marks.lines("end").values()) == 1
    user.ok("uninstall", "shop")
    assert user.json("deployments", "list") == []
    user.ok("blueprints", "delete", "child")
    assert not (user.home / "state.db").exists()


def test_what_was_killed_half_way_is_resumed(planted: tuple[User, Marks]) -> None:
    user, marks = planted
    marks.hold.touch()
    with user.running("executions", "start", "install", "-d", "shop") as process:
        marks.wait_for_begin()
        process.send_signal(signal.SIGKILL)
        process.wait()
    marks.hold.unlink()
    user.ok("executions", "resume", user.latest("shop")["id"], "--reset-operations")
    assert set(user.states("shop").values()) == {"started"}


def test_another_machine_runs_what_was_uploaded_here(server: PostgresServer, tmp_path: Path) -> None:
    with server.database() as name:
        here = user_in(tmp_path / "here", GROUNDPLAN_DATABASE_URL=server.url(name))
        here.write("hello/hello.sh", "ctx instance runtime-properties greeting hello")
        here.upload("hello", HELLO)
        here.ok("deployments", "create", "hello", "-b", "hello")
        there = user_in(tmp_path / "there", GROUNDPLAN_DATABASE_URL=server.url(name))
        words = there.refused(2, "deployments", "list")
        assert f"looked for GROUNDPLAN_KEY and {there.home / 'key'}" in words
        shutil.copy(here.home / "key", there.home / "key")
        there.install("hello")
        assert here.capabilities("hello") == {"greeting": "hello"}


def test_a_home_moves_to_postgresql_and_goes_on_there(server: PostgresServer, tmp_path: Path) -> None:
    passphrase = {"GROUNDPLAN_EXPORT_PASSPHRASE": "a passphrase of some length"}
    here = user_in(tmp_path / "here", **passphrase)
    here.ok("secrets", "create", "address", "-s", "192.0.2.44")
    here.write("hello/hello.sh", "ctx instance runtime-properties greeting hello")
    here.upload("hello", HELLO)
    here.ok("deployments", "create", "hello", "-b", "hello")
    here.install("hello")
    here.ok("db", "export", here.folder / "moved")
    with server.database() as name:
        there = user_in(tmp_path / "there", GROUNDPLAN_DATABASE_URL=server.url(name), **passphrase)
        wrong = replace(there, variables={**there.variables, "GROUNDPLAN_EXPORT_PASSPHRASE": "another"})
        assert "does not open" in wrong.refused(2, "db", "import", here.folder / "moved")
        there.ok("db", "import", here.folder / "moved")
        assert "not empty" in there.refused(2, "db", "import", here.folder / "moved")
        assert there.json("db", "check")["faults"] == []
        assert there.events("hello") == here.events("hello")
        assert there.capabilities("hello") == {"greeting": "hello"}
        assert "192.0.2.44" in there.ok("secrets", "get", "address", "--reveal")
        there.ok("secrets", "rekey")
        there.ok("uninstall", "hello")
        assert there.json("deployments", "list") == []


def test_a_store_of_an_older_version_waits_for_its_upgrade(server: PostgresServer, tmp_path: Path) -> None:
    with server.database() as name:
        user = user_in(tmp_path, GROUNDPLAN_DATABASE_URL=server.url(name))
        with server.connect(name) as connection:
            older(connection)
        assert "groundplan db upgrade" in user.refused(2, "db", "check")
        user.ok("db", "upgrade")
        assert "sound" in user.ok("db", "check")
        with server.connect(name) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        assert "newer" in user.refused(1, "db", "check")


def older(connection: object) -> None:
    """Make the tables of the first revision."""
    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, isolation_level="AUTOCOMMIT")
    with engine.connect() as wrapped:
        wrapped.exec_driver_sql("BEGIN")
        upgrade(wrapped, "0001")
        wrapped.commit()


def test_a_server_that_went_away_is_told_without_the_password(server: PostgresServer, tmp_path: Path) -> None:
    url = server.url("nowhere")
    user = User(home=tmp_path / "home", folder=tmp_path, variables={"GROUNDPLAN_DATABASE_URL": url})
    words = user.refused(1, "deployments", "list")
    assert 'database "nowhere" does not exist' in words
    assert PASSWORD not in words
    assert url not in words


def test_a_deployment_is_healed_scaled_updated_and_played_with(server: PostgresServer, tmp_path: Path) -> None:
    with server.database() as name:
        user = user_in(tmp_path, GROUNDPLAN_DATABASE_URL=server.url(name))
        user.write("shop/play.py", PLAY)
        user.upload("shop", SHOP)
        user.ok("deployments", "create", "shop", "-b", "shop")
        user.install("shop")
        before = {item["id"] for item in user.json("node-instances", "list", "-d", "shop")}
        user.ok("executions", "start", "heal", "-d", "shop")
        user.ok("executions", "start", "scale", "-d", "shop", "-p", "scalable_entity_name=web", "-p", "delta=1")
        user.ok("deployments", "update", "shop", "-i", "size=2", "--skip-drift-check", "--force-reinstall")
        user.ok("executions", "start", "play", "-d", "shop")
        found = user.json("node-instances", "list", "-d", "shop")
        assert {item["state"] for item in found} == {"started"}
        assert before < {item["id"] for item in found}
        assert [item["runtime_properties"]["size"] for item in found if item["node_id"] == "db"] == [2]
        assert "saw 7" in user.ok("events", "list", user.latest("shop")["id"])
