"""Calls that make nothing: functions and pipelines set going, events and tokens; each as often as was asked."""

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

import boto3
import pytest
from tests.plugins.aws.endpoint import KEYS, answering
from tests.plugins.aws.trials import TRIALS, TRUST

from groundplan.sdk import testing
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.operation import traits
from groundplan_aws import invocations, lifecycle, pipelines, registries, roles
from groundplan_aws.client import account_of, connect
from groundplan_aws.failures import RefusedError, partial
from groundplan_aws.resource import NODES
from groundplan_aws.rows.compute import FUNCTION
from groundplan_aws.rows.delivery import PIPELINE


class Lambda(BaseHTTPRequestHandler):
    """Answers calls of one function with `answer` and the headers `told`; with None it hangs up."""

    asked: ClassVar[list[tuple[str, bytes]]] = []
    answer: ClassVar[Any] = {}
    told: ClassVar[dict[str, str]] = {}

    def do_POST(self) -> None:
        self.asked.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        if self.answer is None:
            self.close_connection = True
            return
        body = json.dumps(self.answer).encode()
        self.send_response(200)
        for name, value in {**self.told, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    Lambda.asked.clear()
    with answering(Lambda) as url:
        yield url


def calling(endpoint: str, config: dict[str, Any], node_type: str = FUNCTION.node_type) -> Any:
    """The context of a relationship from an invocation to a function that has been made."""
    caller = testing.end(node_type=f"{NODES}lambda.Invoke", properties={"resource_config": {"kwargs": config}})
    made: Any = {"aws_resource_id": "hello"}
    function = testing.end(node_type=node_type, runtime_properties=made, properties={"client_config": KEYS})
    return testing.context(settings={"endpoint_url": endpoint}, sandboxed=True, source=caller, target=function)


def test_a_function_s_answer_becomes_the_output(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lambda, "answer", {"statusCode": 200, "body": '{"greeting": "hello"}'})
    ctx = calling(endpoint, {"Payload": {"name": "you"}})
    invocations.invoke(ctx)
    output: Any = ctx.source.instance.runtime_properties["output"]
    assert output["Payload"]["body"] == {"greeting": "hello"}
    assert Lambda.asked == [("/2015-03-31/functions/hello/invocations", b'{"name": "you"}')]
    testing.run_twice(invocations.forget, ctx)
    assert "output" not in ctx.source.instance.runtime_properties


def test_a_function_that_fails_is_told_in_its_words(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lambda, "answer", {"errorType": "KeyError", "errorMessage": "'name'"})
    monkeypatch.setattr(Lambda, "told", {"X-Amz-Function-Error": "Unhandled"})
    with pytest.raises(NonRecoverableError, match="the function hello failed: KeyError: 'name'"):
        invocations.invoke(calling(endpoint, {}))


def test_a_function_is_not_called_again_when_its_answer_was_lost(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lambda, "answer", None)
    with pytest.raises(NonRecoverableError, match="may have run"):
        invocations.invoke(calling(endpoint, {}))
    assert len(Lambda.asked) == 1
    assert not traits(invocations.invoke).repeatable


def test_what_is_no_function_is_not_called(endpoint: str) -> None:
    with pytest.raises(NonRecoverableError, match="is no function"):
        invocations.invoke(calling(endpoint, {}, node_type=f"{NODES}SQS.Queue"))
    assert Lambda.asked == []


def test_a_pipeline_is_set_going(bench: Any) -> None:
    role = bench.node(f"{NODES}iam.Role", {"RoleName": "r", "AssumeRolePolicyDocument": TRUST}, name="role")
    roles.create(role)
    trial = TRIALS[PIPELINE.node_type]
    ctx = bench.node(PIPELINE.node_type, trial.config, neighbours=[bench.related(role)], name="pipeline")
    lifecycle.create(ctx)
    started = [pipelines.execute(ctx) for _ in range(2)]
    told: Any = ctx.instance.runtime_properties["execute_pipeline_response"]
    assert told["pipelineExecutionId"] == started[1]
    client = boto3.client("codepipeline", endpoint_url=bench.account.endpoint, **bench.account.client_config)
    found = client.get_pipeline_execution(pipelineName="pipeline", pipelineExecutionId=started[1])
    assert found["pipelineExecution"]["pipelineExecutionId"] == started[1]


def test_a_registry_s_token_is_masked(bench: Any) -> None:
    ctx = bench.node(f"{NODES}ecr.AuthenticationToken", {"registryIds": [123456789012]})
    registries.authorize(ctx)
    told: Any = ctx.instance.runtime_properties["create_response"]
    token = told["authorizationData"][0]["authorizationToken"]
    assert {token, base64.b64decode(token).decode().partition(":")[2]} <= ctx.masked


FAILED = {"ErrorCode": "E", "ErrorMessage": "no"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}, "None"),
        ({"FailedEntryCount": 1, "Entries": [{"EventId": "1"}, FAILED]}, "X: E: no"),
        ({"FailedEntryCount": 2, "FailedEntries": [FAILED, FAILED]}, "X: E: no (2 of them failed)"),
        ({"UnsuccessfulFleetRequests": [{"Error": {"Code": "E", "Message": "no"}}]}, "X: E: no"),
    ],
)
def test_a_success_in_which_something_failed_is_a_refusal(answer: dict[str, Any], words: str) -> None:
    assert str(partial("X", answer)) == words


def test_an_event_that_was_not_taken_is_an_error(bench: Any) -> None:
    api = connect("events", account_of(bench.node("Vpc"), bench.account.client_config))
    with pytest.raises((RefusedError, RecoverableError), match="PutEvents: InvalidArgument"):
        api.call("put_events", Entries=[{"Source": "groundplan", "Detail": "{}"}])
