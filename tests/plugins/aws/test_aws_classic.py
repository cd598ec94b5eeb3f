"""Classic load balancers: instances come behind them and go; a policy is put in force beside those of others."""

from typing import Any

import boto3
import pytest
from tests.plugins.aws.conftest import between
from tests.plugins.aws.trials import TRIALS

from groundplan.sdk import testing
from groundplan_aws import classic, lifecycle
from groundplan_aws.resource import NODES
from groundplan_aws.rows import ec2 as networks
from groundplan_aws.rows import traffic

LISTENERS = [
    {"Protocol": protocol, "LoadBalancerPort": port, "InstancePort": port}
    for protocol, port in (("HTTP", 80), ("TCP", 81))
]


@pytest.fixture
def elb(bench: Any) -> Any:
    return boto3.client("elb", endpoint_url=bench.account.endpoint, **bench.account.client_config)


@pytest.fixture
def balancer(bench: Any) -> Any:
    config = {"LoadBalancerName": "classic", "AvailabilityZones": ["us-west-1b"], "Listeners": LISTENERS}
    ctx = bench.node(traffic.CLASSIC_LOAD_BALANCER.node_type, config, name="balancer")
    lifecycle.create(ctx)
    return ctx


def told(elb: Any) -> Any:
    return elb.describe_load_balancers(LoadBalancerNames=["classic"])["LoadBalancerDescriptions"][0]


def test_an_instance_is_registered_and_taken_away(bench: Any, elb: Any, balancer: Any) -> None:
    name = networks.INSTANCES.node_type
    instance = bench.node(name, TRIALS[name].config, name="vm")
    lifecycle.create(instance)
    ctx = between(bench, instance, balancer)
    for _ in range(2):
        classic.register(ctx)
    known = instance.instance.runtime_properties["aws_resource_id"]
    assert {one["InstanceId"] for one in told(elb)["Instances"]} == {known}
    for _ in range(2):
        classic.deregister(ctx)
    assert told(elb)["Instances"] == []
    lifecycle.delete(balancer)
    classic.deregister(ctx)


def test_a_listener_may_set_its_load_balancer_s_attributes(bench: Any, elb: Any, balancer: Any) -> None:
    ctx = bench.node(f"{NODES}elb.Classic.Listener", neighbours=[bench.related(balancer)], name="listener")
    wanted = {"ConnectionSettings": {"IdleTimeout": 120}}
    testing.run_twice(classic.configure, ctx, resource_config={"LoadBalancerAttributes": wanted})
    found = elb.describe_load_balancer_attributes(LoadBalancerName="classic")["LoadBalancerAttributes"]
    assert found["ConnectionSettings"] == wanted["ConnectionSettings"]


def test_stickiness_is_in_force_where_http_is_spoken_and_leaves_other_policies(
    bench: Any, elb: Any, balancer: Any
) -> None:
    elb.create_lb_cookie_stickiness_policy(LoadBalancerName="classic", PolicyName="theirs", CookieExpirationPeriod=9)
    elb.set_load_balancer_policies_of_listener(LoadBalancerName="classic", LoadBalancerPort=80, PolicyNames=["theirs"])
    config = {"PolicyName": "sticky", "CookieExpirationPeriod": 60}
    ctx = bench.node(traffic.STICKINESS.node_type, config, neighbours=[bench.related(balancer)], name="policy")
    lifecycle.create(ctx)

    def in_force() -> dict[int, list[str]]:
        found = told(elb)["ListenerDescriptions"]
        return {one["Listener"]["LoadBalancerPort"]: one.get("PolicyNames", []) for one in found}

    for _ in range(2):
        classic.enable(ctx)
    assert in_force() == {80: ["theirs", "sticky"], 81: []}
    for _ in range(2):
        classic.disable(ctx)
    assert in_force() == {80: ["theirs"], 81: []}
    lifecycle.delete(balancer)
    classic.disable(ctx)
