"""Rows of parts: routes, tags, listeners, permissions, records and whatever else AWS keeps inside another resource."""

import json
from typing import Any, Final

from groundplan_aws.part import CREATE_PART, PREPARE_PART, Look, Parameters, Part, each, only
from groundplan_aws.resource import EC2_NODES, NODES, Gift, Related, Step
from groundplan_aws.rows import compute, ec2, storage, traffic, watching

_ARN: Final = "aws_resource_arn"
_CLASSIC: Final = f"{NODES}elb.Classic."
_OF_CLASSIC: Final = Gift(parameter="LoadBalancerName", node_type=traffic.CLASSIC_LOAD_BALANCER.node_type)
_LOAD_BALANCERS: Final = "describe_load_balancers"
_FOUND: Final = "LoadBalancerDescriptions"


def _nothing(parameters: Parameters) -> dict[str, Any]:
    return {}


def _tagged(parameters: dict[str, Any], related: Related) -> None:
    """Tags are put on all related resources; a dictionary of tags is one, too."""
    parameters.setdefault("Resources", related.values("cloudify.nodes.Root", "aws_resource_id"))
    if isinstance(parameters.get("Tags"), dict):
        parameters["Tags"] = [{"Key": key, "Value": value} for key, value in parameters["Tags"].items()]


def _pairs_on_resources(parameters: Parameters) -> list[dict[str, Any]]:
    return [{"ResourceId": found, **tag} for found in parameters["Resources"] for tag in parameters["Tags"]]


TAGS: Final = Part(
    node_type=f"{EC2_NODES}Tags",
    label="tags",
    create="create_tags",
    delete="delete_tags",
    undo=only("Resources", "Tags"),
    known_by=("Tags", "Key"),
    look=Look(
        method="describe_tags",
        by=lambda put: {"Filters": [{"Name": "resource-id", "Values": put["Resources"]}]},
        read=each(("Tags",)),
        wanted=_pairs_on_resources,
    ),
    complete=_tagged,
    path="ec2.resources.tags",
)

VPN_CONNECTION_ROUTE: Final = Part(
    node_type=f"{EC2_NODES}VPNConnectionRoute",
    label="route of a VPN connection",
    create="create_vpn_connection_route",
    delete="delete_vpn_connection_route",
    undo=only("DestinationCidrBlock", "VpnConnectionId"),
    known_by=("DestinationCidrBlock",),
    look=Look(
        method="describe_vpn_connections",
        by=lambda put: {"VpnConnectionIds": [put["VpnConnectionId"]]},
        read=lambda answer: [
            route for route in each(("VpnConnections", "Routes"))(answer) if route.get("State") != "deleted"
        ],
        wanted=lambda put: [only("DestinationCidrBlock")(put)],
    ),
    gifts=(Gift(parameter="VpnConnectionId", node_type=ec2.VPN_CONNECTION.node_type),),
    path="ec2.resources.vpn_connection_route",
)

TRANSIT_GATEWAY_ROUTE: Final = Part(
    node_type=f"{EC2_NODES}TransitGatewayRoute",
    label="route of a transit gateway",
    create="create_transit_gateway_route",
    delete="delete_transit_gateway_route",
    undo=only("DestinationCidrBlock", "TransitGatewayRouteTableId"),
    known_by=("DestinationCidrBlock",),
    look=Look(
        method="search_transit_gateway_routes",
        by=lambda put: {
            **only("TransitGatewayRouteTableId")(put),
            "Filters": [{"Name": "type", "Values": ["static"]}],
        },
        read=lambda answer: [
            route for route in each(("Routes",))(answer) if route.get("State") not in ("deleting", "deleted")
        ],
        wanted=lambda put: [only("DestinationCidrBlock")(put)],
    ),
    gifts=(Gift(parameter="TransitGatewayRouteTableId", node_type=ec2.TRANSIT_GATEWAY_ROUTE_TABLE.node_type),),
    path="ec2.resources.transit_gateway_route",
)


def _answered(verdict: str, method: str, path: str, states: frozenset[str]) -> Part:
    return Part(
        node_type=f"{EC2_NODES}VpcPeering{verdict}Request",
        label="answer to a peering request",
        create=method,
        delete="",
        undo=_nothing,
        known_by=("VpcPeeringConnectionId",),
        look=Look(
            method="describe_vpc_peering_connections",
            by=lambda put: {"VpcPeeringConnectionIds": [put["VpcPeeringConnectionId"]]},
            read=lambda answer: [
                {"VpcPeeringConnectionId": found["VpcPeeringConnectionId"]}
                for found in each(("VpcPeeringConnections",))(answer)
                if found["Status"]["Code"] in states
            ],
            wanted=lambda put: [only("VpcPeeringConnectionId")(put)],
        ),
        gifts=(Gift(parameter="VpcPeeringConnectionId", node_type=ec2.VPC_PEERING.node_type),),
        path="ec2.resources.vpc_peering",
        config="cloudify.datatypes.aws.ec2.VpcPeeringRequest.config",
        steps=(PREPARE_PART, Step(operation="create", path=path, function="parts:create")),
    )


PEERING_ACCEPTED: Final = _answered(
    "Accept", "accept_vpc_peering_connection", "accept", frozenset({"provisioning", "active"})
)
PEERING_REJECTED: Final = _answered("Reject", "reject_vpc_peering_connection", "reject", frozenset({"rejected"}))

CLASSIC_LISTENER: Final = Part(
    node_type=f"{_CLASSIC}Listener",
    label="listeners of a classic load balancer",
    service="elb",
    create="create_load_balancer_listeners",
    delete="delete_load_balancer_listeners",
    undo=lambda put: {
        **only("LoadBalancerName")(put),
        "LoadBalancerPorts": [listener["LoadBalancerPort"] for listener in put["Listeners"]],
    },
    known_by=("Listeners", "LoadBalancerPort"),
    look=Look(
        method=_LOAD_BALANCERS,
        by=lambda put: {"LoadBalancerNames": [put["LoadBalancerName"]]},
        read=each((_FOUND, "ListenerDescriptions", "Listener")),
        wanted=each(("Listeners",)),
    ),
    gifts=(_OF_CLASSIC,),
    path="elb.resources.classic.listener",
    fields=("LoadBalancerName", "Listeners"),
)

CLASSIC_HEALTH_CHECK: Final = Part(
    node_type=f"{_CLASSIC}HealthCheck",
    label="health check",
    service="elb",
    create="configure_health_check",
    delete="",
    undo=_nothing,
    known_by=("HealthCheck", "Target"),
    look=Look(
        method=_LOAD_BALANCERS,
        by=lambda put: {"LoadBalancerNames": [put["LoadBalancerName"]]},
        read=each((_FOUND, "HealthCheck")),
        wanted=each(("HealthCheck",)),
    ),
    gifts=(_OF_CLASSIC,),
    path="elb.resources.classic.health_check",
    fields=("LoadBalancerName", "HealthCheck"),
    steps=(PREPARE_PART, CREATE_PART),
)


def _statements(answer: Any) -> list[Any]:
    found: list[Any] = json.loads(answer["Policy"]).get("Statement", [])
    return found


PERMISSION: Final = Part(
    node_type=f"{NODES}lambda.Permission",
    label="permission to call a function",
    service="lambda",
    create="add_permission",
    delete="remove_permission",
    undo=only("FunctionName", "StatementId", "Qualifier"),
    known_by=("StatementId",),
    look=Look(
        method="get_policy",
        by=only("FunctionName", "Qualifier"),
        read=_statements,
        wanted=lambda put: [{"Sid": put["StatementId"], "Action": put["Action"]}],
    ),
    gifts=(Gift(parameter="FunctionName", node_type=compute.FUNCTION.node_type),),
    path="lambda_serverless.resources.permission",
    fields=("FunctionName", "StatementId", "Action", "Principal"),
)


def _opposite(put: Parameters) -> dict[str, Any]:
    changes = put["ChangeBatch"]["Changes"]
    return {
        "HostedZoneId": put["HostedZoneId"],
        "ChangeBatch": {"Changes": [{**change, "Action": "DELETE"} for change in changes if _adds(change)]},
    }


def _adds(change: Parameters) -> bool:
    return bool(change.get("Action") != "DELETE")


def _one_change(parameters: dict[str, Any], related: Related) -> None:
    """A single change may stand without the batch round it."""
    if "ResourceRecordSet" in parameters:
        change = {
            "Action": parameters.pop("Action", "CREATE"),
            "ResourceRecordSet": parameters.pop("ResourceRecordSet"),
        }
        parameters.setdefault("ChangeBatch", {"Changes": [change]})


RECORD_SET: Final = Part(
    node_type=f"{NODES}route53.RecordSet",
    label="record set",
    service="route53",
    create="change_resource_record_sets",
    delete="change_resource_record_sets",
    undo=_opposite,
    known_by=("ChangeBatch", "Changes", "ResourceRecordSet", "Name"),
    absent=("not found",),
    look=Look(
        method="list_resource_record_sets",
        by=only("HostedZoneId"),
        read=each(("ResourceRecordSets",)),
        wanted=lambda put: [change["ResourceRecordSet"] for change in put["ChangeBatch"]["Changes"] if _adds(change)],
    ),
    gifts=(Gift(parameter="HostedZoneId", node_type=traffic.HOSTED_ZONE.node_type),),
    complete=_one_change,
    path="route53.resources.record_set",
)

BUCKET_TAGGING: Final = Part(
    node_type=f"{NODES}s3.BucketTagging",
    label="tags of a bucket",
    service="s3",
    create="put_bucket_tagging",
    delete="put_bucket_tagging",
    undo=only("Bucket", "Tagging"),
    known_by=("Bucket",),
    look=Look(
        method="get_bucket_tagging",
        by=only("Bucket"),
        read=each(("TagSet",)),
        wanted=each(("Tagging", "TagSet")),
    ),
    gifts=(Gift(parameter="Bucket", node_type=storage.BUCKET.node_type),),
    path="s3.resources.tagging",
    fields=("Bucket", "Tagging"),
    steps=(
        PREPARE_PART,
        Step(operation="create", path="create", function="buckets:tag"),
        Step(operation="delete", path="delete", function="buckets:untag"),
    ),
)


def _file_system_tags(parameters: dict[str, Any], related: Related) -> None:
    """The call that the Cloudify plugin makes is deprecated; the one of today calls the file system ResourceId."""
    systems = related.values(storage.FILE_SYSTEM.node_type, "aws_resource_id")
    given = parameters.pop("FileSystemId", None) or next(iter(systems), None)
    if given:
        parameters.setdefault("ResourceId", given)


FILE_SYSTEM_TAGS: Final = Part(
    node_type=f"{NODES}efs.FileSystemTags",
    label="tags of a file system",
    service="efs",
    create="tag_resource",
    delete="untag_resource",
    undo=lambda put: {**only("ResourceId")(put), "TagKeys": [tag["Key"] for tag in put["Tags"]]},
    known_by=("Tags", "Key"),
    look=Look(method="list_tags_for_resource", by=only("ResourceId"), read=each(("Tags",)), wanted=each(("Tags",))),
    complete=_file_system_tags,
    path="efs.resources.tags",
)

SCALING_NOTIFICATION: Final = Part(
    node_type=f"{NODES}autoscaling.NotificationConfiguration",
    label="notifications of a group",
    service="autoscaling",
    create="put_notification_configuration",
    delete="delete_notification_configuration",
    undo=only("AutoScalingGroupName", "TopicARN"),
    known_by=("TopicARN",),
    look=Look(
        method="describe_notification_configurations",
        by=lambda put: {"AutoScalingGroupNames": [put["AutoScalingGroupName"]]},
        read=each(("NotificationConfigurations",)),
        wanted=lambda put: [
            {"TopicARN": put["TopicARN"], "NotificationType": kind} for kind in put["NotificationTypes"]
        ],
    ),
    gifts=(
        Gift(parameter="AutoScalingGroupName", node_type=compute.SCALING_GROUP.node_type),
        Gift(parameter="TopicARN", node_type=traffic.TOPIC.node_type, recorded=_ARN),
    ),
    path="autoscaling.resources.notification_configuration",
)

EVENT_TARGET: Final = Part(
    node_type=f"{NODES}cloudwatch.Target",
    label="targets of an event rule",
    service="events",
    create="put_targets",
    delete="remove_targets",
    undo=lambda put: {
        **only("Rule", "EventBusName")(put),
        "Ids": [target["Id"] for target in put["Targets"]],
    },
    known_by=("Targets", "Id"),
    look=Look(
        method="list_targets_by_rule",
        by=only("Rule", "EventBusName"),
        read=each(("Targets",)),
        wanted=each(("Targets",), "Id", "Arn"),
    ),
    gifts=(Gift(parameter="Rule", node_type=watching.EVENT_RULE.node_type),),
    path="cloudwatch.resources.target",
)

EVENTS: Final = Part(
    node_type=f"{NODES}cloudwatch.Event",
    label="events",
    service="events",
    create="put_events",
    delete="",
    undo=_nothing,
    known_by=("Entries", "Source"),
    path="cloudwatch.resources.event",
    steps=(PREPARE_PART, CREATE_PART),
)

ROWS: Final = (
    TAGS,
    VPN_CONNECTION_ROUTE,
    TRANSIT_GATEWAY_ROUTE,
    PEERING_ACCEPTED,
    PEERING_REJECTED,
    CLASSIC_LISTENER,
    CLASSIC_HEALTH_CHECK,
    PERMISSION,
    RECORD_SET,
    BUCKET_TAGGING,
    FILE_SYSTEM_TAGS,
    SCALING_NOTIFICATION,
    EVENT_TARGET,
    EVENTS,
)
