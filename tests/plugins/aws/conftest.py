"""An AWS for the tests: moto's server in this process, emptied before each test, and a bench for the plugin's nodes."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto.core.base_backend import BackendDict
from moto.server import ThreadedMotoServer

from groundplan.sdk import testing
from groundplan.sdk.context import Neighbour

KEYS = {
    "aws_access_key_id": "AKIATESTTESTTESTTEST",
    "aws_secret_access_key": "test-secret-access-key",
    "region_name": "us-east-1",
}


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Makes contexts of nodes that live in the test's account."""

    endpoint: str

    def node(
        self,
        kind: str,
        config: dict[str, Any] | None = None,
        *,
        neighbours: Sequence[Neighbour] = (),
        name: str = "node",
        **properties: Any,
    ) -> testing.BenchContext:
        """A node of type `cloudify.nodes.aws.ec2.KIND`, its deployment's home bound to the test's account."""
        given = {"client_config": KEYS, "resource_config": config or {}, **properties}
        made = testing.context(
            node_type=f"cloudify.nodes.aws.ec2.{kind}",
            properties=given,
            settings={"endpoint_url": self.endpoint},
            sandboxed=True,
            neighbours=neighbours,
            sleep=time.sleep,
        )
        made.instance.id = f"{name}_1"
        return made

    @staticmethod
    def related(other: testing.BenchContext, *, outgoing: bool = True) -> Neighbour:
        """The node of another context as a neighbour, sharing its runtime properties."""
        return Neighbour(
            type="cloudify.relationships.depends_on",
            type_hierarchy=("cloudify.relationships.depends_on",),
            node=other.node,
            instance=other.instance,
            outgoing=outgoing,
        )


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bench(endpoint: str) -> Bench:
    BackendDict.reset()
    return Bench(endpoint=endpoint)


@pytest.fixture
def ec2(bench: Bench) -> Any:
    """A client of the account, to look at it as its owner would."""
    return boto3.client("ec2", endpoint_url=bench.endpoint, **KEYS)
