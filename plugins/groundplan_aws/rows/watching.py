"""Rows of what watches: alarms of CloudWatch and rules of EventBridge (its targets are parts)."""

from typing import Final

from groundplan_aws.resource import NODES, Resource, TagCall

ALARM: Final = Resource(
    node_type=f"{NODES}cloudwatch.Alarm",
    label="alarm",
    service="cloudwatch",
    create="put_metric_alarm",
    describe="describe_alarms",
    listed=("MetricAlarms",),
    id_field="AlarmName",
    ids="AlarmNames",
    name=("AlarmName",),
    arn=("AlarmArn",),
    puts=True,
    delete="delete_alarms",
    delete_parameter="AlarmNames",
    tag_reading=TagCall(method="list_tags_for_resource", parameter="ResourceARN", told=("AlarmArn",)),
    path="cloudwatch.resources.alarm",
)

EVENT_RULE: Final = Resource(
    node_type=f"{NODES}cloudwatch.Rule",
    label="event rule",
    service="events",
    create="put_rule",
    describe="describe_rule",
    id_field="Name",
    ids="Name",
    name=("Name",),
    arn=("Arn",),
    puts=True,
    delete="delete_rule",
    tag_reading=TagCall(method="list_tags_for_resource", parameter="ResourceARN", told=("Arn",)),
    path="cloudwatch.resources.rule",
)

ROWS: Final = (ALARM, EVENT_RULE)
