"""Classic load balancers: the instances behind them, and on which listeners a stickiness policy is in force.

AWS sets all policies of a listener at once: those of others are kept here. It deletes no policy that is in force.
"""

from typing import Any

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.operation import operation
from groundplan_aws import lifecycle
from groundplan_aws.client import account_of, connect
from groundplan_aws.failures import unless_gone
from groundplan_aws.older import health_check
from groundplan_aws.relation import client, ends, id_of, stands
from groundplan_aws.resource import dig
from groundplan_aws.rows.parts import CLASSIC_LISTENER
from groundplan_aws.rows.traffic import CLASSIC_LOAD_BALANCER
from groundplan_aws.target import Target, configuration, merged, on_target

_STICKY: tuple[str, ...] = ("HTTP", "HTTPS")


@operation()
def register(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Put the instance at the relationship's source behind the load balancer at its target."""
    client(ctx, "elb").call("register_instances_with_load_balancer", **_members(ctx))
    return None


@operation()
def deregister(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Take it away; an instance or a load balancer that is gone is done."""
    if stands(ctx):
        with unless_gone("InvalidInstance"):
            client(ctx, "elb").call("deregister_instances_from_load_balancer", **_members(ctx))
    return None


@operation()
def configure(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Set the attributes of the load balancer: the node's own, or the one that its listener is related to."""
    if not ctx.node.is_a(CLASSIC_LISTENER.node_type):
        return lifecycle.configure(ctx, **inputs)
    given = {name: value for name, value in configuration(ctx, inputs).items() if name in CLASSIC_LOAD_BALANCER.later}
    kind = CLASSIC_LOAD_BALANCER.node_type
    for other in (other for other in ctx.neighbours if other.outgoing and other.node.is_a(kind)):
        name = other.instance.runtime_properties.get("aws_resource_id")
        if given and name:
            api = connect("elb", account_of(ctx, ctx.node.properties.get("client_config") or {}))
            api.call(CLASSIC_LOAD_BALANCER.modify, LoadBalancerName=name, **given)
    return None


@on_target
def check_health(target: Target) -> Data:
    """Set the health check of a load balancer of an older type; AWS keeps one check, the last."""
    if target.untouchable:
        return None
    checks: Any = target.ctx.node.properties.get("health_checks") or ()
    for given in checks[-1:]:
        target.api.call("configure_health_check", LoadBalancerName=target.id, HealthCheck=health_check(given))
    lifecycle.note(target, lifecycle.existing(target))
    return None


@on_target
def enable(target: Target) -> Data:
    """Put the policy in force on the related listeners, or on all of the load balancer that speak HTTP."""
    if not target.untouchable:
        ports = [
            listener["LoadBalancerPort"]
            for other in target.neighbours(CLASSIC_LISTENER.node_type)
            for listener in merged(other.node.properties.get("resource_config")).get("Listeners", ())
        ]
        for listener in _listeners(target):
            told = listener["Listener"]
            if told["LoadBalancerPort"] in ports or (not ports and told["Protocol"].upper() in _STICKY):
                _set(target, listener, [*listener.get("PolicyNames", ()), str(target.id)])
    return None


@on_target
def disable(target: Target) -> Data:
    """Put the policy out of force wherever it is."""
    if target.id is not None and not target.untouchable:
        with unless_gone():
            for listener in _listeners(target):
                kept = [name for name in listener.get("PolicyNames", ()) if name != target.id]
                _set(target, listener, kept)
    return None


def _set(target: Target, listener: dict[str, Any], names: list[str]) -> None:
    if set(names) != set(listener.get("PolicyNames", ())):
        target.api.call(
            "set_load_balancer_policies_of_listener",
            LoadBalancerName=target.scope["LoadBalancerName"],
            LoadBalancerPort=listener["Listener"]["LoadBalancerPort"],
            PolicyNames=names,
        )


def _listeners(target: Target) -> list[dict[str, Any]]:
    answer = target.api.call("describe_load_balancers", LoadBalancerNames=[target.scope["LoadBalancerName"]])
    return dig(answer, ("LoadBalancerDescriptions", "ListenerDescriptions"))


def _members(ctx: OperationContext) -> dict[str, Any]:
    instance, balancer = ends(ctx)
    return {"LoadBalancerName": id_of(balancer), "Instances": [{"InstanceId": id_of(instance)}]}
