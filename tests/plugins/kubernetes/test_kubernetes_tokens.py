"""The tokens of EKS and AKS, computed: as the vendors' own libraries would, and never from what a home must not see."""

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.testing import BenchContext
from groundplan_kubernetes.access import Credential
from groundplan_kubernetes.eks import EksCluster, EksCredential, eks_token
from groundplan_kubernetes.kubeconfig import find_access
from groundplan_kubernetes.presigning import AwsKeys

from .conftest import Bench

Object = dict[str, Any]
KEYS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
CLUSTER = EksCluster(name="shop_eks", region="eu-west-1")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SPN = ["get-token", "--login", "spn", "--server-id", "server-1", "--tenant-id", "tenant-1", "--client-id", "client-1"]


def url_of(token: str) -> str:
    encoded = token.removeprefix("k8s-aws-v1.").removeprefix("Bearer k8s-aws-v1.")
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()


def kubeconfig(command: str, *args: str, **environment: str) -> Object:
    entries = [{"name": name, "value": value} for name, value in environment.items()]
    run = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": command, "args": [*args], "env": entries}
    return {
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443"}}],
        "users": [{"name": "u", "user": {"exec": run}}],
    }


def node(bench: Bench, config: Object, authentication: Object | None = None, **others: Any) -> BenchContext:
    given = {"configuration": {"file_content": config}, "authentication": authentication or {}}
    return bench.node(client_config=given, **others)


def credential(ctx: BenchContext) -> Credential:
    found = find_access(ctx).credential
    assert found is not None
    return found


@pytest.mark.parametrize("session", ["", "session/token+="])
def test_the_signature_is_the_one_that_amazons_library_makes(session: str) -> None:
    keys = AwsKeys(
        access_key_id=KEYS["aws_access_key_id"], secret_access_key=KEYS["aws_secret_access_key"], session_token=session
    )
    url = url_of(eks_token(CLUSTER, keys, NOW))
    unsigned, _, signature = url.partition("&X-Amz-Signature=")
    theirs = SigV4QueryAuth(Credentials(keys.access_key_id, keys.secret_access_key), "sts", CLUSTER.region)
    request = AWSRequest(method="GET", url=unsigned, headers={"x-k8s-aws-id": CLUSTER.name})
    request.context["timestamp"] = NOW.strftime("%Y%m%dT%H%M%SZ")
    to_sign = theirs.string_to_sign(request, theirs.canonical_request(request))
    assert signature == theirs.signature(to_sign, request)


def test_the_token_is_a_signed_question_of_the_clusters_region() -> None:
    keys = AwsKeys(access_key_id="AKID", secret_access_key="secret", session_token="session")
    parts = urlsplit(url_of(eks_token(CLUSTER, keys, NOW)))
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert parts.hostname == "sts.eu-west-1.amazonaws.com"
    assert asked.pop("X-Amz-Signature")
    assert asked == {
        "Action": "GetCallerIdentity",
        "Version": "2011-06-15",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": "AKID/20260301/eu-west-1/sts/aws4_request",
        "X-Amz-Date": "20260301T120000Z",
        "X-Amz-Expires": "60",
        "X-Amz-Security-Token": "session",
        "X-Amz-SignedHeaders": "host;x-k8s-aws-id",
    }


def test_a_token_is_made_anew_when_it_is_older_than_ten_minutes() -> None:
    times = [NOW, NOW + timedelta(minutes=9), NOW + timedelta(minutes=11)]
    learnt: list[str] = []
    keys = AwsKeys(access_key_id="AKID", secret_access_key="secret")
    made = EksCredential(CLUSTER, keys, now=lambda: times.pop(0), learnt=learnt.append)
    first, second, third = made.header(), made.header(), made.header()
    assert first == second != third
    assert [f"Bearer {token}" for token in learnt] == [first, third]


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("aws", ["eks", "get-token", "--cluster-name", "shop", "--region", "eu-west-1", "--output", "json"]),
        ("aws", ["--region", "eu-west-1", "eks", "get-token", "--cluster-name", "shop", "--output", "json"]),
        ("/usr/local/bin/aws", ["eks", "get-token", "--cluster-name=shop", "--region=eu-west-1"]),
        ("aws-iam-authenticator", ["token", "-i", "shop"]),
        ("aws-iam-authenticator", ["token", "--cluster-id", "shop", "--cache"]),
    ],
)
def test_the_commands_of_eks_are_computed(bench: Bench, command: str, args: list[str]) -> None:
    ctx = node(bench, kubeconfig(command, *args), {**KEYS, "region_name": "eu-west-1"})
    header = credential(ctx).header()
    assert "sts.eu-west-1.amazonaws.com" in url_of(header)
    assert header.removeprefix("Bearer ") in ctx.masked
    assert KEYS["aws_secret_access_key"] in ctx.masked


def test_keys_may_stand_in_the_kubeconfig(bench: Bench) -> None:
    environment = {key.upper(): value for key, value in KEYS.items()} | {"AWS_DEFAULT_REGION": "us-east-1"}
    ctx = node(bench, kubeconfig("aws-iam-authenticator", "token", "-i", "shop", **environment))
    assert "sts.us-east-1.amazonaws.com" in url_of(credential(ctx).header())


def test_profiles_of_the_machine_are_not_read(bench: Bench) -> None:
    config = kubeconfig("aws", "eks", "get-token", "--cluster-name", "shop", AWS_PROFILE="prod")
    with pytest.raises(NonRecoverableError, match="AWS profile prod; profiles are not read"):
        find_access(node(bench, config))


def test_the_environment_counts_outside_a_sandboxed_home_only(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**KEYS, "aws_region": "us-east-1"}.items():
        monkeypatch.setenv(name.upper(), value)
    config = kubeconfig("aws-iam-authenticator", "token", "-i", "shop")
    with pytest.raises(NonRecoverableError, match="a region, aws_access_key_id, aws_secret_access_key"):
        find_access(node(bench, config))
    assert credential(node(bench, config, sandboxed=False)).header()


@pytest.mark.parametrize(
    ("command", "args", "words"),
    [
        ("aws", ["eks", "get-token", "now"], "wants 'aws' to be run"),
        ("sh", ["-c", "id"], "wants 'sh' to be run"),
        ("aws", ["sts", "get-caller-identity"], "wants 'aws' to be run"),
        ("gke-gcloud-auth-plugin", [], "wants 'gke-gcloud-auth-plugin' to be run"),
        ("aws", ["eks", "get-token", "--cluster-name", "x", "--role-arn", "arn:x"], "--role-arn, which is not"),
        ("aws-iam-authenticator", ["token", "-i", "x", "-r", "arn:x"], "--role, which is not"),
        ("aws-iam-authenticator", ["token"], "the cluster's name"),
        ("kubelogin", ["get-token", "--server-id", "x"], "log in by devicecode"),
        ("kubelogin", ["get-token", "--login", "msi"], "log in by msi"),
        ("kubelogin", ["get-token", "--login", "spn"], "--server-id, azure_tenant_id, azure_client_id, azure_client_s"),
    ],
)
def test_other_programs_and_options_are_refused(bench: Bench, command: str, args: list[str], words: str) -> None:
    with pytest.raises(NonRecoverableError, match=words):
        find_access(node(bench, kubeconfig(command, *args), {**KEYS, "region": "eu-west-1"}))


@dataclass
class Directory:
    """A directory service that knows one client; `status` makes it answer otherwise."""

    url: str = ""
    status: int = 200
    forms: list[tuple[str, Object]] = field(default_factory=list)

    def answer(self, path: str, form: Object) -> tuple[int, Object]:
        self.forms.append((path, form))
        if self.status != 200:
            return self.status, {"error": "temporarily_unavailable"}
        if form["client_secret"] != ["swordfish"]:
            return 401, {"error": "invalid_client", "error_description": "the secret swordfish is not ..."}
        return 200, {"token_type": "Bearer", "expires_in": 3599, "access_token": f"issued-{len(self.forms)}"}


@pytest.fixture
def directory() -> Iterator[Directory]:
    found = Directory()

    class Requests(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, answer = found.answer(self.path, parse_qs(content))
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Requests) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        found.url = f"http://127.0.0.1:{server.server_port}"
        yield found
        server.shutdown()
        thread.join()


def aks(bench: Bench, directory: Directory, secret: str = "swordfish") -> BenchContext:
    settings = {"authority_url": directory.url}
    return node(bench, kubeconfig("kubelogin", *SPN), {"azure_client_secret": secret}, settings=settings)


def test_the_token_of_a_service_principal_is_asked_of_the_directory(bench: Bench, directory: Directory) -> None:
    ctx = aks(bench, directory)
    made = credential(ctx)
    assert made.header() == made.header() == "Bearer issued-1"
    asked = {
        "grant_type": ["client_credentials"],
        "client_id": ["client-1"],
        "client_secret": ["swordfish"],
        "scope": ["server-1/.default"],
    }
    assert directory.forms == [("/tenant-1/oauth2/v2.0/token", asked)]
    assert {"swordfish", "issued-1"} <= ctx.masked


def test_the_principal_may_stand_in_the_kubeconfig(bench: Bench, directory: Directory) -> None:
    args = ["get-token", "-l", "spn", "--server-id", "server-1"]
    environment = {"AZURE_TENANT_ID": "tenant-2", "AZURE_CLIENT_ID": "client-2", "AZURE_CLIENT_SECRET": "swordfish"}
    config = kubeconfig("kubelogin", *args, **environment)
    credential(node(bench, config, settings={"authority_url": directory.url})).header()
    assert directory.forms[0][0] == "/tenant-2/oauth2/v2.0/token"


def test_a_wrong_secret_is_final_and_stays_secret(bench: Bench, directory: Directory) -> None:
    with pytest.raises(NonRecoverableError, match="401 invalid_client") as caught:
        credential(aks(bench, directory, "wrong-secret")).header()
    assert "wrong-secret" not in str(caught.value)
    assert "swordfish" not in str(caught.value)


def test_a_directory_that_is_busy_or_gone_may_come_back(bench: Bench, directory: Directory) -> None:
    directory.status = 503
    with pytest.raises(RecoverableError, match="503"):
        credential(aks(bench, directory)).header()
    directory.url = "http://127.0.0.1:1"
    with pytest.raises(RecoverableError, match="no answer"):
        credential(aks(bench, directory)).header()


def test_a_sandboxed_home_asks_no_directory_outside(bench: Bench) -> None:
    ctx = node(bench, kubeconfig("kubelogin", *SPN), {"azure_client_secret": "swordfish"})
    with pytest.raises(NonRecoverableError, match="outside the sandbox"):
        find_access(ctx)
