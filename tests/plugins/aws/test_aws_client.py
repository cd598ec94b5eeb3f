"""Where a client connects and as whom, and what becomes of refusals."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.httpsession import URLLib3Session
from tests.plugins.aws.endpoint import KEYS, answering

from groundplan.runtime.calls import Calls
from groundplan.sdk import testing
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan_aws.client import account_of, connect
from groundplan_aws.failures import BusyError, Refusal, RefusedError, judge

DOWN = "http://127.0.0.1:1"
ROLE = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""


class Recorder(BaseHTTPRequestHandler):
    """Answers each request with one refusal, and keeps what it was asked with."""

    seen: ClassVar[list[dict[str, str]]] = []
    answer: ClassVar[tuple[int, str, dict[str, str]]] = (400, "UnauthorizedOperation", {})

    def do_POST(self) -> None:
        self.seen.append(dict(self.headers))
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if "Action=AssumeRole" in asked:
            self.send(200, ROLE, {})
            return
        status, code, headers = self.answer
        text = f"<Response><Errors><Error><Code>{code}</Code><Message>No.</Message></Error></Errors></Response>"
        self.send(status, text, headers)

    def send(self, status: int, text: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def recorder() -> Iterator[str]:
    Recorder.seen.clear()
    with answering(Recorder) as url:
        yield url


def call(endpoint: str, *, sandboxed: bool = True, keys: dict[str, str] = KEYS) -> None:
    ctx = testing.context(sandboxed=sandboxed, settings={"endpoint_url": endpoint})
    connect("ec2", account_of(ctx, keys)).call("describe_vpcs")


def test_a_bound_home_hears_neither_environment_nor_files(
    recorder: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[default]\nregion = eu-west-1\nmax_attempts = 9\n[broken")
    for name, value in {
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": DOWN,
        "AWS_ENDPOINT_URL_EC2": DOWN,
        "HTTP_PROXY": DOWN,
        "AWS_ACCESS_KEY_ID": "AKIAELSE",
        "AWS_PROFILE": "nobody",
        "AWS_SESSION_TOKEN": "else",
        "AWS_CA_BUNDLE": "/nowhere",
        "AWS_USE_FIPS_ENDPOINT": "true",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RefusedError, match="DescribeVpcs: UnauthorizedOperation: No"):
        call(recorder)
    (seen,) = Recorder.seen
    assert "Credential=AKIATEST/" in seen["Authorization"]
    assert "/us-east-1/ec2/" in seen["Authorization"]
    assert "X-Amz-Security-Token" not in seen


def test_a_free_home_heeds_the_environment(recorder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", recorder)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with pytest.raises(RefusedError):
        call("", sandboxed=False, keys={"region_name": "us-east-1"})
    assert "Credential=AKIAENVIRONMENT/" in Recorder.seen[0]["Authorization"]


def test_a_role_is_assumed_with_the_given_keys(recorder: str) -> None:
    with pytest.raises(RefusedError):
        call(recorder, keys={**KEYS, "assume_role": "arn:aws:iam::123456789012:role/builder"})
    assert [seen["Authorization"].split("Credential=")[1].split("/")[0] for seen in Recorder.seen] == [
        "AKIATEST",
        "ASIAROLE",
    ]


def test_a_sandbox_that_is_down_says_how_to_start_it() -> None:
    with pytest.raises(NonRecoverableError, match="groundplan sandbox up"):
        call(DOWN)


@pytest.mark.parametrize(
    ("region", "error", "words"),
    [
        ("us-west-9", NonRecoverableError, "There is no region us-west-9; did you mean us-west-2"),
        ("us-west-2", RecoverableError, "Could not connect"),
    ],
)
def test_a_region_that_there_is_not_is_told_from_a_network_that_is_down(
    monkeypatch: pytest.MonkeyPatch, region: str, error: type[Exception], words: str
) -> None:
    def unreachable(self: object, request: Any) -> None:
        raise EndpointConnectionError(endpoint_url=request.url)

    monkeypatch.setattr(URLLib3Session, "send", unreachable)
    once = {"retries": {"total_max_attempts": 1}}
    account = account_of(testing.context(), {**KEYS, "region_name": region, "additional_config": once})
    with pytest.raises(error, match=words):
        connect("ec2", account).call("describe_vpcs")


def test_a_bound_home_wants_keys() -> None:
    with pytest.raises(NonRecoverableError, match="aws_access_key_id"):
        call(DOWN, keys={})


def account(node: dict[str, Any], plugin: dict[str, Any]) -> tuple[str | None, ...]:
    told = account_of(testing.context(plugin_properties=plugin), node)
    return told.access_key_id, told.secret_access_key, told.session_token, told.region


def test_a_node_s_word_goes_before_the_plugin_s() -> None:
    shared = {**KEYS, "aws_session_token": "of-plugin"}
    assert account({}, shared) == ("AKIATEST", "secret-of-test", "of-plugin", "us-east-1")
    assert account({"region_name": "eu-west-1"}, shared) == ("AKIATEST", "secret-of-test", "of-plugin", "eu-west-1")
    assert account({"aws_access_key_id": "", "region_name": None}, shared)[::3] == ("AKIATEST", "us-east-1")


def test_a_node_s_keys_are_not_mixed_with_the_plugin_s() -> None:
    own = {"aws_access_key_id": "AKIANODE", "aws_secret_access_key": "of-node"}
    assert account(own, {**KEYS, "aws_session_token": "of-plugin"}) == ("AKIANODE", "of-node", None, "us-east-1")


def test_a_bound_home_takes_keys_from_the_plugin_s_properties(recorder: str) -> None:
    ctx = testing.context(sandboxed=True, settings={"endpoint_url": recorder}, plugin_properties=KEYS)
    with pytest.raises(RefusedError, match="UnauthorizedOperation"):
        connect("ec2", account_of(ctx, {})).call("describe_vpcs")
    assert "Credential=AKIATEST/" in Recorder.seen[0]["Authorization"]


def test_throttling_is_tried_again_when_aws_says(recorder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorder, "answer", (503, "RequestLimitExceeded", {"Retry-After": "7"}))
    keys: dict[str, Any] = {**KEYS, "additional_config": {"retries": {"total_max_attempts": 1}}}
    with pytest.raises(RecoverableError) as told:
        call(recorder, keys=keys)
    assert told.value.retry_after == 7


@pytest.mark.parametrize(
    "code",
    ["VpcLimitExceeded", "InvalidParameterValue", "InvalidSubnetID.NotFound", "UnauthorizedOperation", "AuthFailure"],
)
def test_what_somebody_must_change_is_not_tried_again(code: str) -> None:
    assert isinstance(judge(Refusal(call="X", code=code, message="", status=400)), RefusedError)


@pytest.mark.parametrize(
    ("code", "status"), [("DependencyViolation", 400), ("RequestLimitExceeded", 503), ("InternalError", 500)]
)
def test_what_passes_is_tried_again(code: str, status: int) -> None:
    assert isinstance(judge(Refusal(call="X", code=code, message="", status=status)), BusyError)


def test_unknown_options_of_the_client_are_named() -> None:
    with pytest.raises(NonRecoverableError, match="retrys"):
        call(DOWN, keys={**KEYS, "additional_config": {"retrys": 1}})  # type: ignore[dict-item]


def test_clients_are_shared() -> None:
    ctx = testing.context(sandboxed=True, settings={"endpoint_url": DOWN})
    assert connect("ec2", account_of(ctx, KEYS)) is connect("ec2", account_of(ctx, dict(KEYS)))


def test_a_request_is_told_to_who_watches(recorder: str) -> None:
    calls = Calls(traceparent=str)
    with calls.collecting(), pytest.raises(RefusedError):
        call(recorder)
    [told] = calls.masked(str)
    assert told.error == "RefusedError"
    assert told.name == "aws ec2.describe_vpcs"
    assert told.attributes["rpc.method"] == "describe_vpcs"
