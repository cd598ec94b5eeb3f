"""The servers of a machine: where they answer, and what becomes of them when machines and sandboxes stop."""

import socket
import time
from pathlib import Path

import psycopg
import pytest

from groundplan_sandbox.machines.host import Machine, MachineHost

from .conftest import Client, Login, new_address

PASSWORD = "correct horse"
SET_UP_DATABASE = f"""set -e
sudo yum install -y postgresql-server
echo '{PASSWORD}' > pw
PGSETUP_INITDB_OPTIONS='-U admin --pwfile pw' sudo postgresql-setup initdb
sudo systemctl start postgresql
"""


def eventually_connects(address: str, port: int) -> socket.socket:
    deadline = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection((address, port), timeout=5)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def eventually_refuses(address: str, port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection((address, port), timeout=5).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.02)
    pytest.fail(f"{address}:{port} still answers")


def ask_database(address: str) -> None:
    with psycopg.connect(
        host=address, dbname="postgres", user="admin", password=PASSWORD, connect_timeout=5
    ) as database:
        assert database.execute("select 42").fetchone() == (42,)


@pytest.fixture(scope="module")
def database(shared_client: Client) -> None:
    result = shared_client.run(SET_UP_DATABASE)
    assert result.code == 0, result.err


@pytest.mark.usefixtures("database")
def test_a_service_follows_the_machines_addresses(shared_machine: Machine) -> None:
    more = new_address()
    shared_machine.add_address(more)
    ask_database(more)
    shared_machine.remove_address(more)
    with pytest.raises(psycopg.OperationalError, match="refused"):
        ask_database(more)


@pytest.mark.usefixtures("database")
def test_a_machine_reaches_its_own_database_by_every_name(shared_machine: Machine, shared_client: Client) -> None:
    ask = f"PGPASSWORD='{PASSWORD}' psql -U admin -tAc 'select 42' postgres"
    assert shared_client.run(f"{ask} -h localhost; {ask} -h {shared_machine.addresses[0]}").out == "42\n42\n"


@pytest.mark.usefixtures("database")
def test_an_enabled_service_starts_with_the_machine(shared_machine: Machine, login: Login) -> None:
    shared_machine.stop()
    shared_machine.start()
    assert login(shared_machine).run("systemctl is-active postgresql").out == "inactive\n"
    login(shared_machine).run("sudo systemctl enable postgresql")
    shared_machine.stop()
    shared_machine.start()
    ask_database(shared_machine.addresses[0])


@pytest.mark.usefixtures("database")
def test_what_a_database_superuser_runs_is_confined(shared_machine: Machine, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text("SECRET")
    with psycopg.connect(
        host=shared_machine.addresses[0], dbname="postgres", user="admin", password=PASSWORD
    ) as database:
        database.execute("create table loot (line text)")
        with pytest.raises(psycopg.errors.ExternalRoutineException):
            database.execute(f"copy loot from program 'cat {canary}'")


def test_a_server_that_a_script_starts_answers_on_the_machines_address(machine: Machine, client: Client) -> None:
    client.run("echo found > page; nohup python3 -m http.server 8080 >/dev/null 2>&1 &")
    with eventually_connects(machine.addresses[0], 8080) as connection:
        connection.sendall(b"GET /page HTTP/1.0\r\n\r\n")
        assert b"found" in connection.makefile("rb").read()


def test_a_server_on_localhost_stays_in_the_machine(machine: Machine, client: Client) -> None:
    client.run("nohup python3 -m http.server --bind 127.0.0.1 8081 >/dev/null 2>&1 &")
    client.run("nohup python3 -m http.server 8082 >/dev/null 2>&1 &")
    assert client.run("until curl -sf http://localhost:8081/ >/dev/null; do sleep 0.02; done").code == 0
    eventually_connects(machine.addresses[0], 8082).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((machine.addresses[0], 8081), timeout=5)


def test_two_machines_serve_the_same_port(host: MachineHost, machine: Machine, public_key: str, login: Login) -> None:
    other = host.launch("twin", [public_key])
    other.add_address(new_address())
    try:
        for each in (machine, other):
            login(each).run(f"echo {each.name} > page; nohup python3 -m http.server 8080 >/dev/null 2>&1 &")
        for each in (machine, other):
            with eventually_connects(each.addresses[0], 8080) as connection:
                connection.sendall(b"GET /page HTTP/1.0\r\n\r\n")
                assert each.name.encode() in connection.makefile("rb").read()
    finally:
        other.terminate()


def test_services_come_back_with_the_sandbox(tmp_path: Path, public_key: str, login: Login) -> None:
    first = MachineHost(tmp_path)
    if first.refusal is not None:
        pytest.skip(first.refusal)
    machine = first.launch("returning", [public_key])
    machine.add_address(new_address())
    client = login(machine)
    assert client.run(SET_UP_DATABASE).code == 0
    client.run("curl -o minio https://dl.min.io/server/minio/release/linux-amd64/minio; chmod +x minio")
    client.run(
        "sudo mv minio /usr/local/bin/; MINIO_ROOT_PASSWORD=rehearsal nohup minio server /data >/dev/null 2>&1 &"
    )
    eventually_connects(machine.addresses[0], 9000).close()
    first.close()
    second = MachineHost(tmp_path)
    (restored,) = second.restore()
    try:
        ask_database(restored.addresses[0])
        eventually_connects(restored.addresses[0], 9000).close()
    finally:
        restored.terminate()
        second.close()


def test_an_object_store_ends_with_its_process(machine: Machine, client: Client) -> None:
    client.run("curl -o minio https://dl.min.io/server/minio/release/linux-amd64/minio; chmod +x minio")
    client.run("nohup ./minio server data >/dev/null 2>&1 &")
    eventually_connects(machine.addresses[0], 9000).close()
    client.run("pkill -x minio")
    eventually_refuses(machine.addresses[0], 9000)
