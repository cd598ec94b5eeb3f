"""Who may call the sandbox's AWS, and how the others are refused."""

from collections.abc import Callable
from typing import Any

import pytest
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

CALLS = [("ec2", "describe_vpcs"), ("sts", "get_caller_identity"), ("s3", "list_buckets"), ("eks", "list_clusters")]


def code_of(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


@pytest.mark.parametrize(("service", "operation"), CALLS)
def test_the_sandbox_s_own_key_is_accepted(aws: Any, service: str, operation: str) -> None:
    assert getattr(aws.client(service), operation)()["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize(
    ("call", "code"),
    list(
        zip(
            CALLS,
            ["AuthFailure", "InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClientException"],
            strict=True,
        )
    ),
)
def test_another_key_is_refused_in_the_service_s_words(aws: Any, call: tuple[str, str], code: str) -> None:
    client = aws.client(call[0], aws_access_key_id="AKIAZZZZZZZZZZZZZZZZ")
    assert code_of(getattr(client, call[1])) == code


@pytest.mark.parametrize(
    ("call", "code"),
    list(
        zip(
            CALLS,
            ["AuthFailure", "SignatureDoesNotMatch", "SignatureDoesNotMatch", "InvalidSignatureException"],
            strict=True,
        )
    ),
)
def test_a_wrong_secret_is_refused(aws: Any, call: tuple[str, str], code: str) -> None:
    client = aws.client(call[0], aws_secret_access_key="x" * 40)
    assert code_of(getattr(client, call[1])) == code


@pytest.mark.parametrize(
    ("call", "code"),
    list(
        zip(
            CALLS,
            ["AuthFailure", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed", "InvalidSignatureException"],
            strict=True,
        )
    ),
)
def test_a_region_that_there_is_not_is_refused(aws: Any, call: tuple[str, str], code: str) -> None:
    assert code_of(getattr(aws.client(call[0], "us-west-9"), call[1])) == code


def test_a_request_changed_on_the_way_is_refused(aws: Any) -> None:
    client = aws.client("ec2")

    def widen(request: Any, **_: Any) -> None:
        request.body = request.body.replace("10.0.0.0%2F16", "10.9.0.0%2F16")

    client.meta.events.register("before-send.ec2.CreateVpc", widen)
    assert code_of(lambda: client.create_vpc(CidrBlock="10.0.0.0/16")) == "AuthFailure"


def test_an_object_changed_on_the_way_is_refused(aws: Any) -> None:
    client = aws.client("s3")
    client.create_bucket(Bucket="box", CreateBucketConfiguration={"LocationConstraint": "us-west-1"})

    def change(request: Any, **_: Any) -> None:
        request.body = b"altered"

    client.meta.events.register("before-send.s3.PutObject", change)
    assert code_of(lambda: client.put_object(Bucket="box", Key="k", Body=b"content")) == "SignatureDoesNotMatch"


def test_no_path_leads_an_unsigned_request_to_a_service(aws: Any) -> None:
    assert urllib3.request("POST", aws.url + "/ec2_us-west-1/", body="", retries=False).status == 403


def test_an_unsigned_request_is_refused(aws: Any) -> None:
    answer = urllib3.request("POST", aws.url, body="Action=DescribeVpcs&Version=2016-11-15", retries=False)
    assert (answer.status, b"AuthFailure" in answer.data) == (401, True)


def test_objects_pass_with_every_kind_of_payload_signature(aws: Any) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="box", CreateBucketConfiguration={"LocationConstraint": "us-west-1"})
    s3.put_object(Bucket="box", Key="a b/c+d~é", Body=b"content")
    assert s3.get_object(Bucket="box", Key="a b/c+d~é")["Body"].read() == b"content"


def test_a_presigned_url_works_until_it_is_changed(aws: Any) -> None:
    s3 = aws.client("s3", config=Config(signature_version="s3v4"))
    s3.create_bucket(Bucket="box", CreateBucketConfiguration={"LocationConstraint": "us-west-1"})
    s3.put_object(Bucket="box", Key="k", Body=b"content")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "box", "Key": "k"})
    assert urllib3.request("GET", url).data == b"content"
    assert urllib3.request("GET", url.replace("/k?", "/other?")).status == 403


def test_a_presigned_url_expires(aws: Any, eventually: Any) -> None:
    sts = aws.client("sts")
    url = sts.generate_presigned_url("get_caller_identity", ExpiresIn=1, HttpMethod="GET")
    assert urllib3.request("GET", url).status == 200
    eventually(lambda: urllib3.request("GET", url).status == 403)


def test_what_the_emulation_cannot_do_is_said_in_the_service_s_own_form(aws: Any) -> None:
    assert code_of(lambda: aws.client("ec2").describe_fpga_images()) == "InternalError"


@pytest.mark.parametrize("path", ["/moto-api/reset", "/latest/meta-data/iam/security-credentials/"])
def test_the_emulator_s_own_doors_are_shut(aws: Any, path: str) -> None:
    assert urllib3.request("POST", aws.url + path, retries=False).status == 404
