"""Databases and roles on a real PostgreSQL: made once, found again, never taken from others."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from groundplan.runtime.calls import Calls
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.operation import traits
from groundplan.sdk.testing import BenchContext, context, neighbour, run_twice
from groundplan_postgres import databases, roles
from groundplan_sandbox.postgres.programs import find_programs

PASSWORD = "password-of-tests"
DEADLINE = 30.0


@pytest.fixture(scope="module")
def address() -> Iterator[dict[str, Any]]:
    """A PostgreSQL of the module's own, run by a user that is not root, for PostgreSQL refuses root."""
    folder = Path(tempfile.mkdtemp(prefix="groundplan-pg-"))
    try:
        with running(folder) as port:
            yield {"host": "127.0.0.1", "port": port, "user": "master", "password": PASSWORD}
    finally:
        shutil.rmtree(folder)


@contextmanager
def running(folder: Path) -> Iterator[int]:
    (folder / "password").write_text(PASSWORD)
    user = give_away(folder)
    programs, data = reachable_programs(folder), folder / "data"
    initdb: list[str | Path] = [
        programs / "initdb",
        "--pgdata",
        data,
        "--username",
        "master",
        "--pwfile",
        folder / "password",
    ]
    initdb += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    subprocess.run(initdb, check=True, user=user, cwd=folder, capture_output=True, timeout=DEADLINE)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    settings = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
    command: list[str | Path] = [programs / "postgres", "-D", data]
    command += [part for each in settings for part in ("-c", each)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, user=user, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until_ready(port, process, folder / "log")
        yield port
    finally:
        process.terminate()
        process.wait(DEADLINE)


def give_away(folder: Path) -> int | None:
    """As root: hands the folder to `nobody` and returns its id; else None."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody").pw_uid
    for path in (folder, *folder.iterdir()):
        os.chown(path, nobody, -1)
    return nobody


def reachable_programs(folder: Path) -> Path:
    """PostgreSQL's programs; a copy of them where only root may go to the virtual environment."""
    home = Path(find_programs().host_bin).parent
    if os.geteuid() != 0 or all(parent.stat().st_mode & 0o005 == 0o005 for parent in home.parents):
        return home / "bin"
    package = folder / "programs" / home.parent.name
    shutil.copytree(home, package / home.name, symlinks=True)
    libraries = home.parent.with_name(f"{home.parent.name}.libs")
    shutil.copytree(libraries, folder / "programs" / libraries.name)
    return package / home.name / "bin"


def wait_until_ready(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + DEADLINE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(**login("master", PASSWORD, port)).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    pytest.fail(f"PostgreSQL did not get ready:\n{log.read_text()}")


def login(user: str, password: str, port: int, dbname: str = "postgres") -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": port, "user": user, "password": password, "dbname": dbname}


@pytest.fixture
def master(address: dict[str, Any]) -> Iterator[psycopg.Connection[Any]]:
    """Somebody else's session; what it sees is gone after the test."""
    with psycopg.connect(**login("master", PASSWORD, address["port"]), autocommit=True) as session:
        yield session
        for name in ("shop", 'we"ird'):
            session.execute(psycopg.sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(quoted(name)))
        for name in ("clerk", 'we"ird', "staff"):
            session.execute(psycopg.sql.SQL("DROP ROLE IF EXISTS {}").format(quoted(name)))


def quoted(name: str) -> psycopg.sql.Identifier:
    return psycopg.sql.Identifier(name)


class Bench:
    """Contexts whose nodes know the server."""

    def __init__(self, address: dict[str, Any]) -> None:
        self.config = address

    def database(self, runtime: MutableMapping[str, Any] | None = None, **properties: Any) -> BenchContext:
        return self._context("Database", runtime, {"name": "shop", **properties})

    def role(self, runtime: MutableMapping[str, Any] | None = None, **properties: Any) -> BenchContext:
        return self._context("Role", runtime, {"name": "clerk", "password": "of the clerk", **properties})

    def _context(self, kind: str, runtime: MutableMapping[str, Any] | None, given: dict[str, Any]) -> BenchContext:
        properties = {"client_config": self.config, **given}
        node_type = f"groundplan.nodes.postgres.{kind}"
        return context(properties=properties, runtime_properties=runtime, node_type=node_type)


@pytest.fixture
def bench(address: dict[str, Any], master: psycopg.Connection[Any]) -> Bench:
    return Bench(address)


def count(master: psycopg.Connection[Any], query: str) -> int:
    row = master.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def databases_named_shop(master: psycopg.Connection[Any]) -> int:
    return count(master, "SELECT count(*) FROM pg_database WHERE datname = 'shop'")


def roles_named_clerk(master: psycopg.Connection[Any]) -> int:
    return count(master, "SELECT count(*) FROM pg_roles WHERE rolname = 'clerk'")


def test_a_database_is_made_and_dropped(bench: Bench, master: psycopg.Connection[Any]) -> None:
    ctx = bench.database()
    databases.create(ctx)
    assert databases_named_shop(master) == 1
    assert ctx.instance.runtime_properties == {
        "name": "shop",
        "owner": "master",
        "host": "127.0.0.1",
        "port": bench.config["port"],
        "external": False,
    }
    assert databases.check_status(ctx) == {"name": "shop", "owner": "master"}
    databases.delete(ctx)
    assert databases_named_shop(master) == 0
    assert ctx.instance.runtime_properties == {}


def test_a_role_owns_its_database_and_logs_in(bench: Bench, address: dict[str, Any]) -> None:
    role = bench.role()
    roles.create(role)
    ctx = bench.database()
    related = neighbour(node_type=databases.ROLE_TYPE, runtime_properties=role.instance.runtime_properties)
    ctx.neighbours = (related,)
    databases.create(ctx)
    with psycopg.connect(**login("clerk", "of the clerk", address["port"], "shop")) as session:
        session.execute("CREATE TABLE t (x int)")
    databases.delete(ctx)
    roles.delete(role)


def test_statements_are_told_without_their_text(bench: Bench, address: dict[str, Any]) -> None:
    calls = Calls(traceparent=str)
    with calls.collecting():
        roles.create(bench.role())
    told = calls.masked(str)
    assert {"connecting", "creating role clerk"} <= {it.attributes["groundplan.act"] for it in told}
    assert "of the clerk" not in str(told)
    assert not any(it.error for it in told)


def test_all_of_it_can_be_repeated(bench: Bench, master: psycopg.Connection[Any]) -> None:
    role, same_role = run_twice(roles.create, bench.role())
    made, same = run_twice(databases.create, bench.database(owner="clerk"))
    assert (role, made) == (same_role, same)
    run_twice(databases.delete, bench.database(made))
    run_twice(roles.delete, bench.role(role))
    assert (databases_named_shop(master), roles_named_clerk(master)) == (0, 0)


def test_a_database_cut_off_before_it_was_marked_is_taken_up(bench: Bench, master: psycopg.Connection[Any]) -> None:
    master.execute("CREATE DATABASE shop")
    ctx = bench.database({"making": "shop"})
    databases.create(ctx)
    assert "making" not in ctx.instance.runtime_properties
    databases.delete(ctx)
    assert databases_named_shop(master) == 0


def test_what_is_somebody_elses_is_left_alone(bench: Bench, master: psycopg.Connection[Any]) -> None:
    master.execute("CREATE DATABASE shop")
    master.execute("CREATE ROLE clerk")
    for module, ctx in ((databases, bench.database()), (roles, bench.role())):
        with pytest.raises(NonRecoverableError, match="exists and belongs to"):
            module.create(ctx)
        module.delete(ctx)
    assert (databases_named_shop(master), roles_named_clerk(master)) == (1, 1)


def test_external_ones_are_found_and_kept(bench: Bench, master: psycopg.Connection[Any]) -> None:
    master.execute("CREATE DATABASE shop")
    master.execute("CREATE ROLE clerk NOLOGIN")
    for module, ctx in (
        (databases, bench.database(use_external_resource=True)),
        (roles, bench.role(use_external_resource=True)),
    ):
        module.create(ctx)
        module.delete(ctx)
    assert (databases_named_shop(master), roles_named_clerk(master)) == (1, 1)
    assert count(master, "SELECT rolcanlogin::int FROM pg_roles WHERE rolname = 'clerk'") == 0


def test_external_ones_must_be_there(bench: Bench) -> None:
    for module, ctx in (
        (databases, bench.database(use_external_resource=True)),
        (roles, bench.role(use_external_resource=True)),
    ):
        with pytest.raises(NonRecoverableError, match="declared external"):
            module.create(ctx)
        with pytest.raises(NonRecoverableError, match="there is no"):
            module.check_status(ctx)


def test_a_role_gets_what_the_node_says(bench: Bench, master: psycopg.Connection[Any]) -> None:
    master.execute("CREATE ROLE staff")
    roles.create(bench.role(login=False, create_databases=True, member_of=["staff"]))
    told = "SELECT (rolcreatedb AND NOT rolcanlogin AND NOT rolcreaterole AND NOT rolsuper)::int FROM pg_roles"
    assert count(master, f"{told} WHERE rolname = 'clerk'") == 1
    assert count(master, "SELECT pg_has_role('clerk', 'staff', 'member')::int") == 1


def test_the_server_never_sees_the_password(bench: Bench, master: psycopg.Connection[Any]) -> None:
    roles.create(bench.role())
    row = master.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'clerk'").fetchone()
    assert row is not None
    assert row[0].startswith("SCRAM-SHA-256$")


def test_a_role_that_owns_something_stays_and_says_what(bench: Bench, master: psycopg.Connection[Any]) -> None:
    role = bench.role()
    roles.create(role)
    master.execute("CREATE DATABASE shop OWNER clerk")
    with pytest.raises(NonRecoverableError, match="database shop"):
        roles.delete(role)


def test_a_database_in_use_is_dropped_when_they_left_or_when_told(bench: Bench, address: dict[str, Any]) -> None:
    ctx = bench.database()
    databases.create(ctx)
    with psycopg.connect(**login("master", PASSWORD, address["port"], "shop")):
        with pytest.raises(RecoverableError, match="being accessed"):
            databases.delete(ctx)
        databases.delete(bench.database(ctx.instance.runtime_properties, disconnect_users=True))


def test_names_are_taken_as_they_are(bench: Bench, master: psycopg.Connection[Any]) -> None:
    ctx = bench.database(name='we"ird')
    databases.create(ctx)
    assert count(master, "SELECT count(*) FROM pg_database WHERE datname = 'we\"ird'") == 1
    databases.delete(ctx)


@pytest.mark.parametrize("name", ["", "n" * 64, "a\0b"])
def test_names_that_would_not_be_kept_are_refused(bench: Bench, name: str) -> None:
    with pytest.raises(NonRecoverableError, match="63 bytes"):
        databases.create(bench.database(name=name))


@pytest.mark.parametrize("changed", [{"password": "wrong"}, {"password": ""}, {"host": ""}, {"database": "none"}])
def test_what_the_server_refuses_is_final(bench: Bench, changed: dict[str, str]) -> None:
    with pytest.raises(NonRecoverableError) as caught:
        databases.create(bench.database(client_config={**bench.config, **changed}))
    assert PASSWORD not in str(caught.value)


def test_a_server_that_does_not_answer_may_come_back(bench: Bench) -> None:
    with pytest.raises(RecoverableError):
        databases.create(bench.database(client_config={**bench.config, "port": 1}))


def test_the_environment_has_no_say(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PGHOST", "elsewhere"), ("PGUSER", "nobody"), ("PGPASSWORD", "x"), ("PGOPTIONS", "-c nope=1")):
        monkeypatch.setenv(name, value)
    ctx = bench.database()
    databases.create(ctx)
    databases.delete(ctx)


def test_the_types_map_to_repeatable_operations_of_the_table() -> None:
    manifest = yaml.safe_load(files("groundplan_postgres").joinpath("plugin.yaml").read_text())
    mapped = {
        path.removeprefix("postgres.")
        for declared in manifest["node_types"].values()
        for operations in declared["interfaces"].values()
        for path in operations.values()
    }
    functions = {
        path: getattr({"databases": databases, "roles": roles}[path.split(".")[1]], path.split(".")[2])
        for path in manifest["groundplan"]["operations"]
    }
    assert mapped == set(functions)
    assert all(traits(function).repeatable for function in functions.values())
