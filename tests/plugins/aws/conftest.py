"""An AWS for the tests: the sandbox's, in a process of its own, emptied before each test; and a bench for nodes."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from groundplan.sdk import testing
from groundplan.sdk.context import Neighbour


@dataclass(frozen=True, kw_only=True)
class Account:
    """The emulated account. `empty`: forget everything that was created in it."""

    endpoint: str
    client_config: dict[str, str]
    keypair: str
    empty: Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Makes contexts of nodes that live in the account."""

    account: Account

    def node(
        self,
        kind: str,
        config: dict[str, Any] | None = None,
        *,
        neighbours: Sequence[Neighbour] = (),
        name: str = "node",
        **properties: Any,
    ) -> testing.BenchContext:
        """A node of type `cloudify.nodes.aws.ec2.KIND`, or of the whole type KIND, in a home bound to the sandbox."""
        given = {"client_config": self.account.client_config, "resource_config": config or {}, **properties}
        made = testing.context(
            node_type=kind if "." in kind else f"cloudify.nodes.aws.ec2.{kind}",
            type_hierarchy=("cloudify.nodes.Root",),
            properties=given,
            settings={"endpoint_url": self.account.endpoint},
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


def between(bench: Bench, source: Any, target: Any) -> Any:
    """A context for an operation of the relationship from one node to another."""
    ends = [testing.BenchEnd(node=ctx.node, instance=ctx.instance) for ctx in (source, target)]
    return testing.context(
        settings={"endpoint_url": bench.account.endpoint}, sandboxed=True, source=ends[0], target=ends[1]
    )


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    program = [sys.executable, str(Path(__file__).with_name("account.py"))]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())

        def empty() -> None:
            print("empty", file=process.stdin, flush=True)
            assert process.stdout.readline() == "emptied\n"

        keys = {name: told["secrets"][name] for name in ("aws_access_key_id", "aws_secret_access_key")}
        yield Account(
            endpoint=told["endpoint"],
            client_config={**keys, "region_name": "us-west-1"},
            keypair=told["secrets"]["aws_keypair"],
            empty=empty,
        )
        process.stdin.close()
        process.wait(60)


@pytest.fixture(scope="session")
def _owner(account: Account) -> Any:
    return boto3.client("ec2", endpoint_url=account.endpoint, **account.client_config)


@pytest.fixture
def bench(account: Account) -> Bench:
    account.empty()
    return Bench(account=account)


@pytest.fixture
def ec2(bench: Bench, _owner: Any) -> Any:
    """A client of the account, to look at it as its owner would."""
    return _owner
