"""EventBridge: an event is taken whatever becomes of it, and reaches queues, by topics too."""

import json
from typing import Any

import pytest

EVENT = {"Source": "groundplan", "DetailType": "try", "Detail": json.dumps({"number": 1})}


@pytest.fixture
def events(aws: Any) -> Any:
    return aws.client("events")


def rule(events: Any, target: str, **options: str) -> None:
    events.put_rule(Name="rule", **options)
    events.put_targets(Rule="rule", Targets=[{"Id": "target", "Arn": target}])


def test_an_event_reaches_the_queue_behind_a_topic(aws: Any, events: Any) -> None:
    sqs, sns = aws.client("sqs"), aws.client("sns")
    queue = sqs.create_queue(QueueName="queue")["QueueUrl"]
    address = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="topic")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=address)
    rule(events, topic, EventPattern=json.dumps({"source": ["groundplan"]}))
    assert events.put_events(Entries=[EVENT])["FailedEntryCount"] == 0
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(json.loads(message["Body"])["Message"])["detail"] == {"number": 1}


@pytest.mark.parametrize(
    "target",
    ["arn:aws:sns:us-west-1:123456789012:gone", "arn:aws:codepipeline:us-west-1:123456789012:pipeline"],
)
def test_an_event_is_taken_whatever_becomes_of_it(events: Any, target: str) -> None:
    rule(events, target, EventPattern=json.dumps({"source": ["groundplan"]}))
    assert events.put_events(Entries=[EVENT])["FailedEntryCount"] == 0


def test_a_schedule_meets_no_event(aws: Any, events: Any) -> None:
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName="queue")["QueueUrl"]
    address = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rule(events, address, ScheduleExpression="rate(5 minutes)")
    events.put_events(Entries=[EVENT])
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
