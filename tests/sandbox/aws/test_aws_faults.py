"""Faults on demand: seeded, bounded, in the words of the service."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from groundplan_sandbox.aws.faults import Faults, Kind, Rule
from groundplan_sandbox.aws.operations import operation_of
from groundplan_sandbox.aws.signature import Request


@pytest.fixture
def faults(aws: Any) -> Iterator[Faults]:
    yield aws.server.faults
    aws.server.faults.clear()


def outcomes(call: Callable[[], Any], times: int) -> list[str]:
    def outcome() -> str:
        try:
            call()
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "ok"

    return [outcome() for _ in range(times)]


def drawn(rule: Rule, times: int = 200) -> list[bool]:
    faults = Faults()
    faults.add(rule)
    return [faults.draw("ec2", lambda: "RunInstances") is not None for _ in range(times)]


def test_the_same_seed_spoils_the_same_calls_and_stops_at_its_limit() -> None:
    rule = Rule(service="ec2", kind=Kind.THROTTLE, share=0.5, limit=30, seed=7)
    first = drawn(rule)
    assert drawn(rule) == first
    assert drawn(Rule(service="ec2", kind=Kind.THROTTLE, share=0.5, limit=30, seed=8)) != first
    assert sum(first) == 30
    assert not any(first[120:])


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        ("ec2", "describe_vpcs", "RequestLimitExceeded"),
        ("iam", "list_roles", "Throttling"),
        ("eks", "list_clusters", "ThrottlingException"),
        ("rds", "describe_db_instances", "Throttling"),
        ("s3", "list_buckets", "SlowDown"),
    ],
)
def test_each_service_throttles_in_its_own_words(aws: Any, faults: Faults, service: str, call: str, code: str) -> None:
    faults.add(Rule(service=service, kind=Kind.THROTTLE, share=1, limit=2))
    assert outcomes(getattr(aws.client(service), call), 3) == [code, code, "ok"]


def test_only_the_named_call_fails_with_the_given_code(aws: Any, faults: Faults, run: Any) -> None:
    faults.add(
        Rule(
            service="ec2",
            operation="RunInstances",
            kind=Kind.FAIL,
            share=1,
            limit=1,
            code="InsufficientInstanceCapacity",
        )
    )
    assert outcomes(aws.client("ec2").describe_instances, 1) == ["ok"]
    assert outcomes(run, 2) == ["InsufficientInstanceCapacity", "ok"]


def test_a_lost_answer_is_that_of_a_call_that_was_carried_out(ec2: Any, faults: Faults) -> None:
    faults.add(Rule(service="ec2", operation="CreateVpc", kind=Kind.LOSE, share=1, limit=1))
    before = len(ec2.describe_vpcs()["Vpcs"])
    assert outcomes(lambda: ec2.create_vpc(CidrBlock="10.7.0.0/16"), 1) == ["InternalError"]
    assert len(ec2.describe_vpcs()["Vpcs"]) == before + 1


def test_a_hanging_call_is_answered_late_and_holds_nobody_else_up(ec2: Any, faults: Faults, monkeypatch: Any) -> None:
    waits: list[float] = []
    monkeypatch.setattr(faults, "sleep", waits.append)
    faults.add(Rule(service="*", kind=Kind.HANG, share=1, limit=1, seconds=120))
    assert outcomes(ec2.describe_vpcs, 2) == ["ok", "ok"]
    assert waits == [120]


@pytest.mark.parametrize(
    "wrong",
    [{"share": 0}, {"share": 1.5}, {"limit": 0}, {"seconds": 301}, {"status": 200}, {"service": "*", "operation": "X"}],
)
def test_a_rule_that_means_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|needs"):
        Rule(**{"service": "ec2", "kind": Kind.HANG} | wrong)


@pytest.mark.parametrize(
    ("service", "method", "path", "name"),
    [
        ("eks", "GET", "/clusters", "ListClusters"),
        ("eks", "GET", "/clusters/shop", "DescribeCluster"),
        ("eks", "POST", "/clusters/shop/node-groups", "CreateNodegroup"),
        ("eks", "POST", "/clusters/shop/node-groups/web/update-config", "UpdateNodegroupConfig"),
        ("s3", "GET", "/bucket", ""),
        ("nonsense", "GET", "/", ""),
    ],
)
def test_calls_of_rest_services_are_told_apart(service: str, method: str, path: str, name: str) -> None:
    assert operation_of(service, Request(method=method, path=path, query="", headers={}, body=b"")) == name
