"""A home bound to the sandbox speaks to this machine only, whatever a blueprint or a changed binding names."""

import json
from pathlib import Path

import pytest

from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.testing import BenchContext, context
from groundplan.service.home import Home
from groundplan.service.settings import HomeSettings
from groundplan_minio import client as minio_client
from groundplan_postgres import client as postgres_client

ELSEWHERE = "192.0.2.1"
"""An address of documentation (RFC 5737): nobody answers there."""


def bench(**client_config: object) -> BenchContext:
    return context(sandboxed=True, properties={"client_config": client_config})


@pytest.mark.parametrize("host", [ELSEWHERE, "s3.example.com", "127.0.0.1.example.com", "[2001:db8::1]"])
def test_object_stores_elsewhere_are_not_spoken_to(host: str) -> None:
    with pytest.raises(NonRecoverableError, match="not a server of the sandbox"):
        minio_client.connect(bench(endpoint=f"http://{host}:9000", access_key="a", secret_key="b"))


@pytest.mark.parametrize("host", [ELSEWHERE, "db.example.com", f"127.0.0.1,{ELSEWHERE}", "/var/run/postgresql"])
def test_databases_elsewhere_are_not_spoken_to(host: str) -> None:
    with (
        pytest.raises(NonRecoverableError, match="not a server of the sandbox"),
        postgres_client.connect(bench(host=host, password="p")),
    ):
        pass


@pytest.mark.parametrize(
    "sections",
    [
        {"aws": {"endpoint_url": "https://ec2.amazonaws.com"}},
        {"aws": {"endpoint_url": f"http://{ELSEWHERE}:4566"}},
        {"azure": {"authorities": ["https://login.example.com"]}},
        {"ssh": {"hosts": {ELSEWHERE: {"port": 22, "host_key": "ssh-ed25519 AAAA"}}}},
    ],
)
def test_a_binding_that_names_another_machine_is_refused(tmp_path: Path, sections: dict[str, object]) -> None:
    home = Home(path=tmp_path)
    home.binding.write_text(json.dumps(sections))
    with pytest.raises(NonRecoverableError, match="not on this machine"):
        HomeSettings(home).settings("aws")


def test_a_binding_to_this_machine_is_read(tmp_path: Path) -> None:
    home = Home(path=tmp_path)
    section = {"endpoint_url": "http://127.0.0.1:4566", "hosts": {"127.30.0.1": {"port": 22}}}
    home.binding.write_text(json.dumps({"aws": section}))
    assert HomeSettings(home).settings("aws") == section
