"""Rows of what brings requests to programs: load balancers of both families, zones of Route 53, topics and queues.

Listeners and health checks of a classic load balancer, and record sets of a zone, are parts (`rows.parts`).
"""

from dataclasses import replace
from typing import Any, Final

from groundplan_aws.resource import (
    CREATE,
    DELETE,
    EC2_NODES,
    LIFECYCLE,
    NODES,
    PREPARE,
    Gift,
    Related,
    Resource,
    Step,
    TagCall,
)

_ELB: Final = f"{NODES}elb."
_ARN: Final = "aws_resource_arn"
_MODIFY: Final = Step(operation="start", path="modify", function="lifecycle:configure")


def _tags_of(field: str) -> TagCall:
    return TagCall(method="describe_tags", parameter="ResourceArns", told=(field,), at=("TagDescriptions", "Tags"))


LOAD_BALANCER: Final = Resource(
    node_type=f"{_ELB}LoadBalancer",
    label="load balancer",
    service="elbv2",
    create="create_load_balancer",
    made=("LoadBalancers",),
    describe="describe_load_balancers",
    listed=("LoadBalancers",),
    id_field="LoadBalancerName",
    ids="Names",
    name=("Name",),
    arn=("LoadBalancerArn",),
    puts=True,
    modify="modify_load_balancer_attributes",
    delete="delete_load_balancer",
    delete_field="LoadBalancerArn",
    tag_reading=_tags_of("LoadBalancerArn"),
    state=("State", "Code"),
    healthy=frozenset({"active", "active_impaired"}),
    failed=frozenset({"failed"}),
    reason=("State", "Reason"),
    ready="load_balancer_available",
    removed="load_balancers_deleted",
    later=("Attributes",),
    gifts=(
        Gift(parameter="Subnets", node_type=f"{EC2_NODES}Subnet", unless=("SubnetMappings",)),
        Gift(parameter="SecurityGroups", node_type=f"{EC2_NODES}SecurityGroup"),
    ),
    path="elb.resources.load_balancer",
    fields=("Name",),
    steps=(*LIFECYCLE, _MODIFY),
)

TARGET_GROUP: Final = Resource(
    node_type=f"{_ELB}TargetGroup",
    label="target group",
    service="elbv2",
    create="create_target_group",
    made=("TargetGroups",),
    describe="describe_target_groups",
    listed=("TargetGroups",),
    id_field="TargetGroupName",
    ids="Names",
    name=("Name",),
    arn=("TargetGroupArn",),
    puts=True,
    modify="modify_target_group_attributes",
    delete="delete_target_group",
    delete_field="TargetGroupArn",
    tag_reading=_tags_of("TargetGroupArn"),
    later=("Attributes",),
    gifts=(Gift(parameter="VpcId", node_type=f"{EC2_NODES}Vpc"),),
    path="elb.resources.target_group",
    fields=("Name", "Protocol", "Port", "HealthCheckProtocol", "HealthCheckPort"),
    steps=(*LIFECYCLE, _MODIFY),
)


def _forwarding(name: str) -> Any:
    def complete(parameters: dict[str, Any], related: Related) -> None:
        """Actions that forward without saying where go to the related target group."""
        groups = related.values(TARGET_GROUP.node_type, _ARN)
        actions = [dict(action) for action in parameters.get(name, ())]
        for action in actions:
            if groups and action.get("Type") == "forward" and "ForwardConfig" not in action:
                action.setdefault("TargetGroupArn", groups[0])
        parameters[name] = actions or [{"Type": "forward", "TargetGroupArn": group} for group in groups[:1]]

    return complete


LISTENER: Final = Resource(
    node_type=f"{_ELB}Listener",
    label="listener",
    service="elbv2",
    create="create_listener",
    made=("Listeners",),
    describe="describe_listeners",
    listed=("Listeners",),
    id_field="ListenerArn",
    ids="ListenerArns",
    within=("LoadBalancerArn",),
    arn=("ListenerArn",),
    modify="modify_listener",
    delete="delete_listener",
    tag_reading=_tags_of("ListenerArn"),
    gifts=(Gift(parameter="LoadBalancerArn", node_type=LOAD_BALANCER.node_type, recorded=_ARN),),
    complete=_forwarding("DefaultActions"),
    path="elb.resources.listener",
    fields=("Protocol", "Port", "DefaultActions"),
)

RULE: Final = Resource(
    node_type=f"{_ELB}Rule",
    label="listener rule",
    service="elbv2",
    create="create_rule",
    made=("Rules",),
    describe="describe_rules",
    listed=("Rules",),
    id_field="RuleArn",
    ids="RuleArns",
    within=("ListenerArn",),
    arn=("RuleArn",),
    modify="modify_rule",
    delete="delete_rule",
    tag_reading=_tags_of("RuleArn"),
    gifts=(Gift(parameter="ListenerArn", node_type=LISTENER.node_type, recorded=_ARN),),
    complete=_forwarding("Actions"),
    path="elb.resources.rule",
    fields=("Conditions", "Priority", "Actions"),
)

CLASSIC_LOAD_BALANCER: Final = Resource(
    node_type=f"{_ELB}Classic.LoadBalancer",
    label="classic load balancer",
    service="elb",
    create="create_load_balancer",
    describe="describe_load_balancers",
    listed=("LoadBalancerDescriptions",),
    id_field="LoadBalancerName",
    ids="LoadBalancerNames",
    name=("LoadBalancerName",),
    puts=True,
    modify="modify_load_balancer_attributes",
    delete="delete_load_balancer",
    tag_reading=TagCall(
        method="describe_tags",
        parameter="LoadBalancerNames",
        told=("LoadBalancerName",),
        at=("TagDescriptions", "Tags"),
    ),
    later=("LoadBalancerAttributes",),
    gifts=(
        Gift(parameter="Subnets", node_type=f"{EC2_NODES}Subnet", unless=("AvailabilityZones",)),
        Gift(parameter="SecurityGroups", node_type=f"{EC2_NODES}SecurityGroup"),
    ),
    path="elb.resources.classic.load_balancer",
    fields=("LoadBalancerName", "Listeners"),
    steps=(PREPARE, CREATE, Step(operation="start", path="start", function="classic:configure"), DELETE),
)

_OF_CLASSIC: Final = Gift(parameter="LoadBalancerName", node_type=CLASSIC_LOAD_BALANCER.node_type)

CLASSIC_POLICY: Final = Resource(
    node_type=f"{_ELB}Classic.Policy",
    label="policy of a classic load balancer",
    service="elb",
    create="create_load_balancer_policy",
    describe="describe_load_balancer_policies",
    listed=("PolicyDescriptions",),
    id_field="PolicyName",
    ids="PolicyNames",
    name=("PolicyName",),
    scope=("LoadBalancerName",),
    puts=True,
    delete="delete_load_balancer_policy",
    gifts=(_OF_CLASSIC,),
    path="elb.resources.classic.policy",
    fields=("LoadBalancerName", "PolicyName", "PolicyTypeName"),
)

STICKINESS: Final = replace(
    CLASSIC_POLICY,
    node_type=f"{_ELB}Classic.Policy.Stickiness",
    label="stickiness of a classic load balancer",
    create="create_lb_cookie_stickiness_policy",
    config="cloudify.datatypes.aws.elb.Classic.StickinessPolicy.config",
    fields=("LoadBalancerName", "PolicyName", "CookieExpirationPeriod"),
    steps=(
        PREPARE,
        Step(operation="create", path="create_sticky", function="lifecycle:create"),
        Step(operation="start", path="start_sticky", function="classic:enable"),
        Step(operation="stop", path="groundplan_aws.classic.disable", function="classic:disable"),
        DELETE,
    ),
)

HOSTED_ZONE: Final = Resource(
    node_type=f"{NODES}route53.HostedZone",
    label="hosted zone",
    service="route53",
    create="create_hosted_zone",
    made=("HostedZone",),
    describe="get_hosted_zone",
    listed=("HostedZone",),
    id_field="Id",
    ids="Id",
    listing="list_hosted_zones",
    listing_at=("HostedZones",),
    marks="CallerReference",
    delete="delete_hosted_zone",
    path="route53.resources.hosted_zone",
    steps=(
        PREPARE,
        Step(operation="create", path="create", function="zones:create"),
        Step(operation="delete", path="delete", function="zones:delete"),
    ),
)

TOPIC: Final = Resource(
    node_type=f"{NODES}SNS.Topic",
    label="SNS topic",
    service="sns",
    create="create_topic",
    describe="get_topic_attributes",
    listed=("Attributes",),
    id_field="TopicArn",
    ids="TopicArn",
    name=("Name",),
    arn=("TopicArn",),
    puts=True,
    listing="list_topics",
    listing_at=("Topics",),
    modify="set_topic_attributes",
    delete="delete_topic",
    tag_reading=TagCall(method="list_tags_for_resource", parameter="ResourceArn", told=("TopicArn",)),
    path="sns.resources.topic",
)

QUEUE: Final = Resource(
    node_type=f"{NODES}SQS.Queue",
    label="SQS queue",
    service="sqs",
    create="create_queue",
    describe="get_queue_attributes",
    describe_with={"AttributeNames": ["All"]},
    listed=("Attributes",),
    id_field="QueueUrl",
    ids="QueueUrl",
    name=("QueueName",),
    arn=("QueueArn",),
    puts=True,
    listing="list_queues",
    listing_at=("QueueUrls",),
    modify="set_queue_attributes",
    delete="delete_queue",
    tag_reading=TagCall(method="list_queue_tags", parameter="QueueUrl", told=("QueueUrl",)),
    path="sqs.resources.queue",
)


def _subscription(parameters: dict[str, Any], related: Related) -> None:
    """The endpoint of a queue or function may be its name: its ARN is the related node's to give."""
    if parameters.get("Protocol") in ("sqs", "lambda") and ":" not in str(parameters.get("Endpoint", ":")):
        del parameters["Endpoint"]


SUBSCRIPTION: Final = Resource(
    node_type=f"{NODES}SNS.Subscription",
    label="SNS subscription",
    service="sns",
    create="subscribe",
    describe="get_subscription_attributes",
    listed=("Attributes",),
    id_field="SubscriptionArn",
    ids="SubscriptionArn",
    arn=("SubscriptionArn",),
    within=("TopicArn",),
    same=("Protocol", "Endpoint"),
    puts=True,
    listing="list_subscriptions_by_topic",
    listing_at=("Subscriptions",),
    modify="set_subscription_attributes",
    delete="unsubscribe",
    gifts=(
        Gift(parameter="TopicArn", node_type=TOPIC.node_type, recorded=_ARN),
        Gift(parameter="Endpoint", node_type=QUEUE.node_type, recorded=_ARN),
        Gift(parameter="Endpoint", node_type=f"{NODES}lambda.Function", recorded=_ARN),
    ),
    defaults={"ReturnSubscriptionArn": True},
    complete=_subscription,
    path="sns.resources.subscription",
    steps=(PREPARE, CREATE, Step(operation="start", path="start", function="lifecycle:pull"), DELETE),
)

ROWS: Final = (
    LOAD_BALANCER,
    TARGET_GROUP,
    LISTENER,
    RULE,
    CLASSIC_LOAD_BALANCER,
    CLASSIC_POLICY,
    STICKINESS,
    HOSTED_ZONE,
    TOPIC,
    QUEUE,
    SUBSCRIPTION,
)
