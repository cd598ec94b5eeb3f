"""From a node's `client_config` to a server's buckets and objects: the plugin's only door to the minio library.

Where to connect and with which keys comes from the node alone: no environment variable, no file in HOME, no proxy.
What an error means is said in `failures`; which bucket is whose, in `buckets` and `objects`.
"""

import io
import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import Tags
from minio.error import InvalidResponseError, S3Error, ServerError

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.spans import span
from groundplan_minio.failures import RefusedError, judge

_CONNECT_SECONDS: Final = 10.0
_READ_SECONDS: Final = 60.0
_META: Final = "x-amz-meta-"


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectFacts:
    """What a server says of an object; names of user metadata in lower case."""

    size: int
    etag: str
    metadata: Mapping[str, str] = field(default_factory=dict)


class ObjectServer:
    """One server, spoken to in the sdk's errors.

    All methods raise RefusedError (the server will not), NonRecoverableError (the request makes no sense) and
    RecoverableError (no answer, or the server is not ready yet).
    """

    def __init__(self, endpoint: str, client: Minio) -> None:
        self.endpoint = endpoint
        self._client = client

    def has_bucket(self, bucket: str) -> bool:
        with _judged(f"looking for bucket {bucket}", self.endpoint):
            return bool(self._client.bucket_exists(bucket))

    def make_bucket(self, bucket: str, region: str) -> None:
        with _judged(f"making bucket {bucket}", self.endpoint):
            self._client.make_bucket(bucket, region)

    def bucket_tags(self, bucket: str) -> dict[str, str]:
        with _judged(f"reading the tags of bucket {bucket}", self.endpoint):
            return dict(self._client.get_bucket_tags(bucket) or {})

    def tag_bucket(self, bucket: str, tags: Mapping[str, str]) -> None:
        wanted = Tags.new_bucket_tags()
        wanted.update(tags)
        with _judged(f"tagging bucket {bucket}", self.endpoint):
            self._client.set_bucket_tags(bucket, wanted)

    def set_policy(self, bucket: str, policy: str) -> None:
        with _judged(f"setting the policy of bucket {bucket}", self.endpoint):
            self._client.set_bucket_policy(bucket, policy)

    def keys(self, bucket: str) -> Iterator[str]:
        with _judged(f"listing bucket {bucket}", self.endpoint):
            for found in self._client.list_objects(bucket, recursive=True):
                yield str(found.object_name)

    def remove_bucket(self, bucket: str) -> None:
        with _judged(f"deleting bucket {bucket}", self.endpoint):
            self._client.remove_bucket(bucket)

    def describe(self, bucket: str, key: str) -> ObjectFacts | None:
        """What the server has under a key; None when it has nothing there."""
        try:
            with _judged(f"looking for object {bucket}/{key}", self.endpoint):
                found = self._client.stat_object(bucket, key)
        except RefusedError as error:
            if error.code == "NoSuchKey":
                return None
            raise
        metadata = {name.lower(): value for name, value in (found.metadata or {}).items()}
        own = {name.removeprefix(_META): value for name, value in metadata.items() if name.startswith(_META)}
        return ObjectFacts(size=found.size or 0, etag=found.etag or "", metadata=own)

    def put(self, bucket: str, key: str, content: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        with _judged(f"putting object {bucket}/{key}", self.endpoint):
            self._client.put_object(
                bucket, key, io.BytesIO(content), len(content), content_type=content_type, metadata=dict(metadata)
            )

    def remove(self, bucket: str, key: str) -> None:
        with _judged(f"deleting object {bucket}/{key}", self.endpoint):
            self._client.remove_object(bucket, key)


def connect(ctx: OperationContext) -> ObjectServer:
    """The server of a node's `client_config`; nothing is sent yet.

    Raises:
        NonRecoverableError: the endpoint is no http or https URL, or a key is missing, or the home is bound to the
            sandbox and the endpoint is none of its servers.
    """
    config = ctx.node.properties.get("client_config")
    given: Mapping[str, Data] = config if isinstance(config, dict) else {}
    access_key, secret_key = str(given.get("access_key") or ""), str(given.get("secret_key") or "")
    if not access_key or not secret_key:
        raise NonRecoverableError("client_config must give access_key and secret_key")
    endpoint = str(given.get("endpoint") or "").rstrip("/")
    address = urlsplit(endpoint)
    if address.scheme not in ("http", "https") or not address.netloc or address.path or address.username:
        raise NonRecoverableError("client_config.endpoint must be a URL such as http://10.0.0.4:9000")
    if ctx.plugin.sandboxed and not _is_loopback(address.hostname or ""):
        raise NonRecoverableError(f"{endpoint} is not a server of the sandbox; this home connects to nothing else")
    try:
        client = Minio(
            address.netloc,
            access_key=access_key,
            secret_key=secret_key,
            region=str(given.get("region") or "us-east-1"),
            secure=address.scheme == "https",
            http_client=_connections(ctx.operation.timeout),
        )
    except ValueError as error:
        raise NonRecoverableError(f"client_config: {error}") from error
    return ObjectServer(endpoint, client)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _connections(timeout: float) -> urllib3.PoolManager:
    """Connections without a proxy; the engine's own retries come after these two."""
    limits = urllib3.Timeout(connect=min(_CONNECT_SECONDS, timeout / 2), read=min(_READ_SECONDS, timeout / 2))
    return urllib3.PoolManager(timeout=limits, retries=urllib3.Retry(total=2, backoff_factor=0.2))


@contextmanager
def _judged(act: str, endpoint: str) -> Iterator[None]:
    try:
        with span("minio", groundplan_act=act, server_address=urlsplit(endpoint).hostname or ""):
            yield
    except S3Error as error:
        raise judge(act, error.code or "", error.message or "") from error
    except (ServerError, InvalidResponseError, urllib3.exceptions.HTTPError) as error:
        raise RecoverableError(f"{act}: {error}") from error
    except ValueError as error:
        raise NonRecoverableError(f"{act}: {error}") from error


def region_of(ctx: OperationContext) -> str:
    config: Any = ctx.node.properties.get("client_config") or {}
    return str(config.get("region") or "us-east-1")
