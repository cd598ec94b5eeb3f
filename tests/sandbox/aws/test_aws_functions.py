"""Lambda: a function is recorded, and whoever calls it is told that nothing runs here."""

import io
import json
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


@pytest.fixture
def function(aws: Any) -> str:
    role = aws.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("main.py", "def handler(event, context):\n    return event\n")
    made = aws.client("lambda").create_function(
        FunctionName="hello",
        Runtime="python3.12",
        Handler="main.handler",
        Role=role,
        Code={"ZipFile": code.getvalue()},
    )
    return str(made["FunctionArn"])


def test_a_call_is_refused_and_says_why(aws: Any, function: str) -> None:
    with pytest.raises(ClientError, match="The sandbox runs no functions: hello is recorded only"):
        aws.client("lambda").invoke(FunctionName="hello", Payload=b"{}")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        aws.client("lambda").invoke(FunctionName="nobody", Payload=b"{}")


def test_a_topic_takes_messages_for_a_function_that_does_not_run(aws: Any, function: str) -> None:
    sns = aws.client("sns")
    topic = sns.create_topic(Name="topic")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    assert sns.publish(TopicArn=topic, Message="hello")["MessageId"]
