"""The small programs of a machine, called as scripts call them."""

import time

import pytest

from .conftest import Client

INSTALL_DOCKER = "sudo yum install -y docker-ce >/dev/null && sudo systemctl start docker"
INSTALL_MINIKUBE = (
    "curl -sLO https://storage.googleapis.com/minikube/releases/latest/minikube-latest.x86_64.rpm"
    " && sudo yum install -y minikube-latest.x86_64.rpm >/dev/null"
)


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("sudo yum -y install nginx", 1, "the sandbox has no package nginx"),
        ("sudo apt-get install -y nginx", 1, "the sandbox has no package nginx"),
        ("echo x > made.rpm; sudo yum install -y made.rpm", 1, "made.rpm is not a package that the sandbox gave"),
        ("curl -o page https://example.com/", 6, "Could not resolve host: example.com"),
        ("curl http://localhost:9/", 7, "Failed to connect"),
        ("sudo systemctl start postgresql", 5, "Unit postgresql.service not found."),
        ("sudo postgresql-setup initdb", 5, "Unit postgresql.service not found."),
        ("sudo adduser centos", 9, "user 'centos' already exists"),
        ("sudo adduser dora -g artists", 6, "group 'artists' does not exist"),
        ("sudo adduser ../dora", 3, "invalid user name"),
        ("sudo chown dora file", 1, "invalid user: 'dora'"),
        ("sudo chown centos file", 1, "cannot access 'file'"),
        ("sudo -u dora id", 1, "user dora does not exist"),
        ("su - dora -c id", 1, "user dora does not exist"),
        ("sudo no-such-program", 127, "no-such-program"),
    ],
)
def test_what_cannot_be_done_is_said(shared_client: Client, command: str, code: int, words: str) -> None:
    result = shared_client.run(command)
    assert (result.code, words in result.err) == (code, True), result


@pytest.mark.parametrize(
    ("command", "out"),
    [
        ("sudo id -un; sudo -u centos id -un; id -un", "root\ncentos\ncentos\n"),
        ("COLOUR=green sudo sh -c 'echo $COLOUR'; sudo SIZE=3 sh -c 'echo $SIZE'", "green\n3\n"),
        ("sudo adduser ada; C=green sudo su - ada -c 'pwd; id -un; echo $HOME$C'", "/home/ada\nada\n/home/ada\n"),
        ("sudo groupadd poets; sudo useradd -m eve -g poets; sudo -u eve id -gn", "poets\n"),
        ("sudo adduser bob; sudo mkdir /own; sudo chown -R bob:bob /own; sudo -u bob touch /own/x; ls /own", "x\n"),
        ("sudo yum install -y yum-utils yum-utils | grep -c Installed", "1\n"),
        ("sudo -i pwd; printf x | sudo tee /etc/motd", "/home/centos\nx"),
    ],
)  # fmt: skip
def test_what_scripts_do_works(shared_client: Client, command: str, out: str) -> None:
    result = shared_client.run(command)
    assert (result.out, result.err) == (out, "")


def test_docker_is_a_unit_and_runs_nothing(client: Client) -> None:
    assert client.run(INSTALL_DOCKER).code == 0
    assert client.run("systemctl is-active docker; getent group docker | cut -d: -f1").out == "active\ndocker\n"
    assert "the sandbox runs no containers" in client.run("docker run hello-world").err
    assert client.run("sudo systemctl stop docker; systemctl is-active docker").out == "inactive\n"


def test_minikube_wants_docker_and_a_cluster(client: Client) -> None:
    assert client.run(f"{INSTALL_MINIKUBE} && minikube start").code == 69
    assert client.run("minikube stop").code == 85


def test_programs_run_side_by_side_keep_the_records_right(client: Client) -> None:
    users = " ".join(f"user{number}" for number in range(8))
    client.run(f"for user in {users}; do sudo adduser $user & done; wait")
    assert client.run("cut -d: -f3 /etc/passwd | sort | uniq -d").out == ""
    assert client.run("grep -c '^user' /etc/passwd").out == "8\n"


def test_a_stopped_cluster_says_so(client: Client) -> None:
    client.run(f"{INSTALL_DOCKER}; {INSTALL_MINIKUBE}; minikube start; minikube stop")
    result = client.run("minikube status")
    assert (result.code, "apiserver: Stopped" in result.out) == (7, True)
    assert client.run("minikube delete && test ! -e ~/.kube/config && minikube status").code == 85


def test_a_small_program_starts_fast(shared_client: Client) -> None:
    began = time.monotonic()
    assert shared_client.run("for i in 1 2 3 4 5 6 7 8 9 10; do sudo true; done").code == 0
    assert time.monotonic() - began < 5, "ten calls of sudo; 0.4 s on a machine at rest"
