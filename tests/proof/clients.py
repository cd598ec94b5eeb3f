"""The clients that users of an environment have: a PostgreSQL driver, S3 clients, the Kubernetes client.

They know addresses and credentials from capabilities and secrets, as any client does, and nothing of the sandbox.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.config
import kubernetes
import minio
import psycopg
import yaml

ONCE = botocore.config.Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})


def query(sql: str, *, host: str, port: int, user: str, password: str, dbname: str) -> Any:
    """Run a query on a database and return the first column of its first row."""
    with psycopg.connect(
        host=host, port=port, user=user, password=password, dbname=dbname, connect_timeout=10
    ) as connection:
        found = connection.execute(sql.encode()).fetchone()
        return found[0] if found else None


@dataclass(frozen=True, kw_only=True)
class Keys:
    """An S3 key pair."""

    id: str
    secret: str


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """The place that a bucket's URL names, path style."""

    url: str

    @property
    def name(self) -> str:
        return urlsplit(self.url).path.strip("/")

    @property
    def endpoint(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return str(parts.hostname), parts.port or 80

    def by_minio(self, keys: Keys) -> minio.Minio:
        """Return MinIO's client of the bucket's store."""
        host = urlsplit(self.url).netloc
        return minio.Minio(host, access_key=keys.id, secret_key=keys.secret, secure=False)

    def by_boto3(self, keys: Keys) -> Any:
        """Return Amazon's client of the bucket's store."""
        return amazon("s3", self.endpoint, keys)

    def carry(self, keys: Keys, name: str, content: bytes) -> bytes:
        """Put an object with MinIO's client and get it with Amazon's."""
        self.by_minio(keys).put_object(self.name, name, io.BytesIO(content), len(content))
        body: bytes = self.by_boto3(keys).get_object(Bucket=self.name, Key=name)["Body"].read()
        return body


def amazon(service: str, endpoint: str, keys: Keys) -> Any:
    """Return Amazon's client of a service at an endpoint."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-west-1",
        aws_access_key_id=keys.id,
        aws_secret_access_key=keys.secret,
        config=ONCE,
    )


@contextmanager
def cluster(kubeconfig: str) -> Iterator[Any]:
    """Open a Kubernetes client by the content of a kubeconfig."""
    with kubernetes.config.new_client_from_config_dict(yaml.safe_load(kubeconfig)) as client:
        yield client
