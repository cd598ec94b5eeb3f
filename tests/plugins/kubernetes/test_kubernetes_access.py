"""How a node reaches its cluster, what is refused, and what a home bound to the sandbox never consults."""

import base64
import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.testing import neighbour
from groundplan_kubernetes import resources
from groundplan_kubernetes.kubeconfig import find_access

from .conftest import Bench, Definition, Served

Object = dict[str, Any]


def changed(kubeconfig: Object, *, cluster: Object | None = None, user: Object | None = None) -> Object:
    """Return a kubeconfig with another cluster section or another user."""
    copy: Object = json.loads(json.dumps(kubeconfig))
    if cluster is not None:
        copy["clusters"][0]["cluster"] |= cluster
    if user is not None:
        copy["users"][0]["user"] = user
    return copy


def reaches(bench: Bench, definition: Object, configuration: Object, **others: Any) -> bool:
    ctx = bench.node(definition, client_config={"configuration": configuration}, **others)
    resources.create(ctx)
    return "kubernetes" in ctx.instance.runtime_properties


def test_a_kubeconfig_is_taken_as_text_and_as_mapping(bench: Bench, served: Served, config_map: Definition) -> None:
    assert reaches(bench, config_map("one"), {"file_content": served.kubeconfig})
    assert reaches(bench, config_map("two"), {"file_content": yaml.safe_dump(served.kubeconfig)})


def test_a_kubeconfig_is_taken_from_the_blueprint(bench: Bench, served: Served, config_map: Definition) -> None:
    name = bench.file("kube.conf", served.kubeconfig)
    assert reaches(bench, config_map(), {"blueprint_file_name": name})


def test_a_kubeconfig_is_taken_from_a_path_with_the_files_that_it_names(
    bench: Bench, served: Served, config_map: Definition, tmp_path: Path
) -> None:
    user = served.kubeconfig["users"][0]["user"]
    for part in ("certificate", "key"):
        (tmp_path / f"{part}.pem").write_bytes(base64.b64decode(user[f"client-{part}-data"]))
    named = {"client-certificate": "certificate.pem", "client-key": str(tmp_path / "key.pem")}
    (tmp_path / "config").write_text(yaml.safe_dump(changed(served.kubeconfig, user=named)))
    assert reaches(bench, config_map(), {"manager_file_path": str(tmp_path / "config")})


@pytest.mark.parametrize("token", ["{}", "Bearer {}", "{}\n"])
def test_single_options_are_enough(bench: Bench, served: Served, config_map: Definition, token: str) -> None:
    options = {"host": served.url, "api_key": token.format(served.token), "ssl_ca_cert": served.authority}
    assert reaches(bench, config_map(), {"api_options": options})


def test_a_client_certificate_may_be_given_by_options(bench: Bench, served: Served, config_map: Definition) -> None:
    user = served.kubeconfig["users"][0]["user"]
    pair = {f"{name}_file": base64.b64decode(user[key]).decode() for name, key in PAIR.items()}
    options = {"host": served.url, "ssl_ca_cert": served.authority, **pair}
    assert reaches(bench, config_map(), {"api_options": options})


PAIR = {"cert": "client-certificate-data", "key": "client-key-data"}


@pytest.mark.parametrize("verify", [False, "false"])
def test_verification_may_be_turned_off(
    bench: Bench, served: Served, config_map: Definition, verify: bool | str
) -> None:
    options = {"host": served.url, "api_key": served.token, "verify_ssl": verify}
    assert reaches(bench, config_map(), {"api_options": options})


def test_a_name_and_a_password_are_sent_as_basic_authentication(bench: Bench, served: Served) -> None:
    config = changed(served.kubeconfig, user={"username": "admin", "password": "swordfish"})
    ctx = bench.node(client_config={"configuration": {"file_content": config}})
    credential = find_access(ctx).credential
    assert credential is not None
    assert base64.b64decode(credential.header().removeprefix("Basic ")) == b"admin:swordfish"
    assert "swordfish" in ctx.masked
    assert "swordfish" not in repr(find_access(ctx))


def test_the_operations_inputs_win(bench: Bench, served: Served, config_map: Definition) -> None:
    ctx = bench.node(client_config={})
    given = {"configuration": {"file_content": served.kubeconfig}}
    resources.create(ctx, client_config=given, definition=config_map())
    assert "kubernetes" in ctx.instance.runtime_properties


@pytest.mark.parametrize("relationship", ["cloudify.kubernetes.relationships.managed_by_master", "depends_on"])
def test_a_related_master_says_where_the_cluster_is(
    bench: Bench, served: Served, config_map: Definition, relationship: str
) -> None:
    master = neighbour(
        relationship,
        node_type="cloudify.kubernetes.nodes.Master",
        properties={"configuration": {"file_content": served.kubeconfig, "api_options": None}},
    )
    empty: Object = {"configuration": {"file_content": None, "api_options": {}}}
    ctx = bench.node(config_map(), client_config=empty, neighbours=[master])
    resources.create(ctx)
    assert "kubernetes" in ctx.instance.runtime_properties


def test_without_a_configuration_the_ways_to_give_one_are_named(bench: Bench, config_map: Definition) -> None:
    with pytest.raises(NonRecoverableError, match=r"file_content, .*, manager_file_path or api_options"):
        resources.create(bench.node(config_map(), client_config={}))


def test_a_wrong_token_is_final(bench: Bench, served: Served, config_map: Definition) -> None:
    options = {"host": served.url, "api_key": "not-a-token-of-it", "ssl_ca_cert": served.authority}
    ctx = bench.node(config_map(), client_config={"configuration": {"api_options": options}})
    with pytest.raises(NonRecoverableError, match="401") as caught:
        resources.create(ctx)
    assert "not-a-token-of-it" not in str(caught.value)
    assert "not-a-token-of-it" in ctx.masked


def test_a_server_that_another_authority_vouches_for_is_final(
    bench: Bench, served: Served, config_map: Definition
) -> None:
    options = {"host": served.url, "api_key": served.token}
    with pytest.raises(NonRecoverableError, match="certificate cannot be trusted"):
        reaches(bench, config_map(), {"api_options": options})


def test_a_server_with_another_name_is_final_unless_the_kubeconfig_says_which(
    bench: Bench, served: Served, config_map: Definition
) -> None:
    wrong = changed(served.kubeconfig, cluster={"tls-server-name": "other.test"})
    with pytest.raises(NonRecoverableError, match="certificate cannot be trusted"):
        reaches(bench, config_map(), {"file_content": wrong})
    right = changed(served.kubeconfig, cluster={"tls-server-name": "plugin.test"})
    assert reaches(bench, config_map(), {"file_content": right})


def test_a_server_that_is_down_may_come_back(bench: Bench, served: Served, config_map: Definition) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    down = changed(served.kubeconfig, cluster={"server": f"https://127.0.0.1:{port}"})
    with pytest.raises(RecoverableError, match="does not answer"):
        reaches(bench, config_map(), {"file_content": down})


def test_a_server_that_hangs_up_in_the_handshake_may_come_back(
    bench: Bench, served: Served, config_map: Definition
) -> None:
    class HangUp(socketserver.BaseRequestHandler):
        """Take the greeting and end the connection."""

        def handle(self) -> None:
            self.request.recv(1024)

    with socketserver.TCPServer(("127.0.0.1", 0), HangUp) as server:
        answering = threading.Thread(target=server.handle_request)
        answering.start()
        port = server.server_address[1]
        hung = changed(served.kubeconfig, cluster={"server": f"https://127.0.0.1:{port}"})
        with pytest.raises(RecoverableError):
            reaches(bench, config_map(), {"file_content": hung})
        answering.join()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not YAML"),
        ("just words", "something else than mappings"),
        ("kind: Pod", "not a kubeconfig"),
        ({"kind": "Config", "current-context": "x"}, "current context 'x'"),
        ({"kind": "Config", "contexts": ["x"], "current-context": "x"}, "not a list of names"),
        ({"contexts": [{"name": "x", "context": {"cluster": "y"}}], "current-context": "x"}, "no cluster 'y'"),
    ],
)
def test_a_spoilt_kubeconfig_is_final(bench: Bench, config_map: Definition, content: object, words: str) -> None:
    with pytest.raises(NonRecoverableError, match=words):
        reaches(bench, config_map(), {"file_content": content})


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"auth-provider": {"name": "gcp"}}, "auth-provider"),
        ({"token": "t", "as": "root"}, "somebody else"),
        ({"token": "two\nlines"}, "no token has"),
        ({"tokenFile": "/etc/hostname"}, "must carry its credentials inside"),
        ({"client-key": "/etc/hostname"}, "must carry its credentials inside"),
        ({"client-certificate-data": "%%%"}, "not PEM text"),
        ({"client-certificate-data": base64.b64encode(b"text").decode()}, "certificates cannot be used"),
        ({"exec": {"command": "/bin/sh", "args": ["-c", "touch /tmp/run"]}}, "wants 'sh' to be run"),
    ],
)
def test_users_that_cannot_be_used_are_refused(
    bench: Bench, served: Served, config_map: Definition, user: Object, words: str
) -> None:
    with pytest.raises(NonRecoverableError, match=words):
        reaches(bench, config_map(), {"file_content": changed(served.kubeconfig, user=user)})


@pytest.mark.parametrize("options", [{"api_key": "x"}, {"host": "https://127.0.0.1", "ssl_ca_cert": "/etc/ca.pem"}])
def test_options_that_cannot_be_used_are_refused(bench: Bench, config_map: Definition, options: Object) -> None:
    with pytest.raises(NonRecoverableError, match=r"no host|PEM text itself"):
        reaches(bench, config_map(), {"api_options": options})


def test_a_service_account_of_google_is_refused_in_words(bench: Bench, served: Served, config_map: Definition) -> None:
    given = {
        "configuration": {"file_content": served.kubeconfig},
        "authentication": {"gcp_service_account": "{}"},
    }
    with pytest.raises(NonRecoverableError, match="gcp_service_account is not supported"):
        resources.create(bench.node(config_map(), client_config=given))


@pytest.mark.parametrize(
    "server", ["https://10.0.0.4:6443", "https://api.example.com", "https://127.0.0.1.example.com"]
)
def test_a_sandboxed_home_reaches_no_cluster_outside(
    bench: Bench, served: Served, config_map: Definition, server: str
) -> None:
    outside = changed(served.kubeconfig, cluster={"server": server})
    with pytest.raises(NonRecoverableError, match="not a cluster of the sandbox"):
        reaches(bench, config_map(), {"file_content": outside})
    ctx = bench.node(client_config={"configuration": {"file_content": outside}}, sandboxed=False)
    assert find_access(ctx).server == server


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A proxy that nobody may speak to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0)
        yield listening


def test_a_sandboxed_home_uses_no_proxy(
    bench: Bench,
    served: Served,
    config_map: Definition,
    listener: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy)
    named = changed(served.kubeconfig, cluster={"proxy-url": proxy})
    assert reaches(bench, config_map(), {"file_content": named})
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_kubeconfigs_and_service_accounts_of_the_machine_are_not_consulted(
    bench: Bench, served: Served, config_map: Definition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(yaml.safe_dump(served.kubeconfig))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    host, _, port = served.url.removeprefix("https://").partition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    with pytest.raises(NonRecoverableError, match="names no cluster"):
        resources.create(bench.node(config_map(), client_config={}))


def test_what_never_had_a_cluster_does_not_keep_all_else_from_going(bench: Bench, config_map: Definition) -> None:
    made = bench.node(config_map())
    resources.create(made)
    with pytest.raises(NonRecoverableError, match="names no cluster"):
        resources.delete(bench.node(config_map(), client_config={}, runtime=dict(made.instance.runtime_properties)))
    never = bench.node(config_map(), client_config={})
    resources.delete(never)
    assert [level for level, _ in never.log] == ["warning"]


def test_no_credentials_stay_on_the_disk(bench: Bench, config_map: Definition, tmp_path: Path) -> None:
    ctx = bench.node(config_map())
    resources.create(ctx)
    assert [path for path in ctx.folder.rglob("*") if path.is_file() and "PRIVATE KEY" in path.read_text()] == []
    assert any("PRIVATE KEY" in secret for secret in ctx.masked)
