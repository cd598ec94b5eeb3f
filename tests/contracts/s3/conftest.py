"""The stores that the suite runs on, clients for them, and raw requests that no client would send.

Backends: `sandbox`, the ObjectStore in this process, and `minio`, the real server, which `make live` builds. Raw
requests are signed by the `minio` package, not by the code under test.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import secrets
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from minio import Minio
from minio.credentials import Credentials
from minio.error import S3Error
from minio.signer import sign_v4_s3

from groundplan_sandbox.s3 import ObjectStore

from ...live.programs import program

REGION = "us-west-1"
DEADLINE = 20.0


@dataclass(frozen=True, kw_only=True)
class Store:
    """A running server; `kind` is `sandbox` or `minio`."""

    kind: str
    port: int
    host: str = "127.0.0.1"
    access_key: str = "admin-of-tests"
    secret_key: str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY"
    region: str = REGION

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def boto(self, **changed: Any) -> Any:
        credentials = {"aws_access_key_id": self.access_key, "aws_secret_access_key": self.secret_key}
        config = Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 1})
        settings = {"endpoint_url": self.url, "region_name": self.region, "config": config, **credentials, **changed}
        return boto3.client("s3", **settings)

    def minio(self, **changed: Any) -> Minio:
        keys = {"access_key": self.access_key, "secret_key": self.secret_key, "secure": False, **changed}
        return Minio(self.address, **keys)


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str | None:
        """The error's code, when the body is an error document."""
        return ElementTree.fromstring(self.body).findtext("Code") if self.body.startswith(b"<") else None


@dataclass(kw_only=True)
class Sender:
    """Sends raw requests, signed or not."""

    store: Store
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def plain(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection(self.store.address, timeout=DEADLINE)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return Answer(status=response.status, headers=fields, body=response.read())
        finally:
            connection.close()

    def headers(
        self,
        method: str,
        path: str,
        *,
        payload_hash: str,
        headers: dict[str, str] | None = None,
        date: datetime | None = None,
    ) -> dict[str, str]:
        """The headers of a signed request."""
        when = date or self.now()
        signed = {
            "Host": self.store.address,
            "x-amz-content-sha256": payload_hash,
            "x-amz-date": when.strftime("%Y%m%dT%H%M%SZ"),
            **(headers or {}),
        }
        keys = Credentials(self.store.access_key, self.store.secret_key)
        target = urlsplit(self.store.url + path)
        return sign_v4_s3(
            method=method,
            url=target,
            region=self.store.region,
            headers=signed,
            credentials=keys,
            content_sha256=payload_hash,
            date=when,
        )

    def signed(self, method: str, path: str, body: bytes = b"", **how: Any) -> Answer:
        payload_hash = how.pop("payload_hash", hashlib.sha256(body).hexdigest())
        return self.plain(method, path, body, self.headers(method, path, payload_hash=payload_hash, **how))


@contextmanager
def sandbox_store(folder: Path) -> Iterator[Store]:
    store = Store(kind="sandbox", port=0)
    server = ObjectStore(folder, store.access_key, store.secret_key, store.region)
    server.start("127.0.0.1", 0)
    try:
        yield Store(kind="sandbox", port=server.port)
    finally:
        server.stop()


@contextmanager
def real_store(folder: Path) -> Iterator[Store]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        store = Store(kind="minio", port=free.getsockname()[1])
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "MINIO_ROOT_USER": store.access_key,
        "MINIO_ROOT_PASSWORD": store.secret_key,
        "MINIO_REGION": store.region,
        "MINIO_BROWSER": "off",
    }
    command = [str(program("minio")), "server", "--quiet", "--address", store.address, str(folder / "data")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until_ready(store, process, folder / "log")
        yield store
    finally:
        process.terminate()
        process.wait(DEADLINE)


def wait_until_ready(store: Store, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + DEADLINE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if Sender(store=store).plain("GET", "/minio/health/ready").status == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    pytest.fail(f"MinIO did not get ready:\n{log.read_text(errors='replace')}")


STORES = {"sandbox": sandbox_store, "minio": real_store}


@pytest.fixture(scope="session", params=["sandbox", pytest.param("minio", marks=pytest.mark.live)])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with STORES[request.param](tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture(scope="session")
def s3(store: Store) -> Any:
    return store.boto()


@pytest.fixture(scope="session")
def client(store: Store) -> Minio:
    return store.minio()


@pytest.fixture(scope="session")
def send(store: Store) -> Sender:
    return Sender(store=store)


@pytest.fixture(scope="session")
def sandbox_type() -> type[Store]:
    return Store


@pytest.fixture
def sandbox_sender(tmp_path: Path) -> Iterator[Sender]:
    """Raw requests to a sandbox store of the test's own."""
    with sandbox_store(tmp_path / "own") as store:
        yield Sender(store=store)


@pytest.fixture
def bucket(client: Minio) -> str:
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    client.make_bucket(name, REGION)
    return name


@pytest.fixture(scope="session")
def some_bytes() -> bytes:
    """11 MiB: two full parts of a multipart upload and a rest."""
    return secrets.token_bytes(11 * 1024 * 1024)


@pytest.fixture(scope="session")
def refused() -> Callable[..., AbstractContextManager[None]]:
    """`with refused("NoSuchKey"): ...`: the block's request must be refused with one of these codes."""

    @contextmanager
    def expecting(*codes: str) -> Iterator[None]:
        with pytest.raises((ClientError, S3Error)) as caught:
            yield
        error = caught.value
        code = error.code if isinstance(error, S3Error) else error.response["Error"]["Code"]
        assert code in codes

    return expecting
