"""Buckets and objects on a store that checks signatures: made once, found again, never taken from others."""

from collections.abc import Iterator, MutableMapping
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from minio import Minio

from groundplan.runtime.calls import Calls
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.operation import traits
from groundplan.sdk.testing import BenchContext, context, neighbour, run_twice
from groundplan_minio import buckets, objects
from groundplan_sandbox.s3 import ObjectStore

KEYS = {"access_key": "admin", "secret_key": "password-of-tests"}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = ObjectStore(tmp_path_factory.mktemp("s3"), KEYS["access_key"], KEYS["secret_key"], "us-west-1")
    server.start("127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


@pytest.fixture
def client(endpoint: str) -> Iterator[Minio]:
    """Somebody else's client; what it sees is gone after the test."""
    minio = Minio(endpoint.removeprefix("http://"), **KEYS, secure=False, region="us-west-1")
    yield minio
    for bucket in minio.list_buckets():
        for found in minio.list_objects(bucket.name, recursive=True):
            minio.remove_object(bucket.name, str(found.object_name))
        minio.remove_bucket(bucket.name)


class Bench:
    """Contexts whose nodes know the store."""

    def __init__(self, endpoint: str) -> None:
        self.config: dict[str, Any] = {"endpoint": endpoint, "region": "us-west-1", **KEYS}

    def bucket(self, runtime: MutableMapping[str, Any] | None = None, **properties: Any) -> BenchContext:
        given = {"client_config": self.config, "name": "shop", **properties}
        return context(properties=given, runtime_properties=runtime, node_type="groundplan.nodes.minio.Bucket")

    def object(
        self, runtime: MutableMapping[str, Any] | None = None, resources: Path | None = None, **properties: Any
    ) -> BenchContext:
        given = {"client_config": self.config, "bucket": "shop", "key": "a/b.txt", "content": "hello", **properties}
        node_type = "groundplan.nodes.minio.Object"
        return context(properties=given, runtime_properties=runtime, resources=resources, node_type=node_type)


@pytest.fixture
def bench(endpoint: str) -> Bench:
    return Bench(endpoint)


@pytest.fixture
def shop(client: Minio) -> str:
    """A bucket that somebody else made."""
    client.make_bucket("shop", "us-west-1")
    return "shop"


def test_a_bucket_is_made_and_deleted(bench: Bench, client: Minio, endpoint: str) -> None:
    ctx = bench.bucket()
    buckets.create(ctx)
    assert client.bucket_exists("shop")
    assert ctx.instance.runtime_properties == {
        "name": "shop",
        "region": "us-west-1",
        "url": f"{endpoint}/shop",
        "external": False,
    }
    assert buckets.check_status(ctx) == {"name": "shop", "exists": True}
    buckets.delete(ctx)
    assert not client.bucket_exists("shop")
    assert ctx.instance.runtime_properties == {}


def test_requests_are_told_to_who_watches(bench: Bench, client: Minio) -> None:
    calls = Calls(traceparent=str)
    with calls.collecting():
        buckets.create(bench.bucket())
    told = {str(it.attributes["groundplan.act"]) for it in calls.masked(str)}
    assert "making bucket shop" in told


def test_making_and_deleting_a_bucket_can_be_repeated(bench: Bench, client: Minio) -> None:
    first, second = run_twice(buckets.create, bench.bucket())
    assert first == second
    run_twice(buckets.delete, bench.bucket(first))
    assert not client.bucket_exists("shop")


def test_a_bucket_cut_off_before_it_was_marked_is_taken_up(bench: Bench, shop: str) -> None:
    ctx = bench.bucket({"making": shop})
    buckets.create(ctx)
    assert "making" not in ctx.instance.runtime_properties
    buckets.delete(ctx)


def test_a_bucket_of_somebody_else_is_left_alone(bench: Bench, client: Minio, shop: str) -> None:
    ctx = bench.bucket()
    with pytest.raises(NonRecoverableError, match="belongs to somebody else"):
        buckets.create(ctx)
    buckets.delete(ctx)
    assert client.bucket_exists(shop)


def test_an_external_bucket_is_found_and_kept(bench: Bench, client: Minio, shop: str) -> None:
    ctx = bench.bucket(use_external_resource=True, policy="never set")
    buckets.create(ctx)
    buckets.delete(ctx)
    assert client.bucket_exists(shop)


def test_an_external_bucket_must_be_there(bench: Bench) -> None:
    with pytest.raises(NonRecoverableError, match="declared external"):
        buckets.create(bench.bucket(use_external_resource=True))


def test_a_full_bucket_goes_only_when_asked(bench: Bench, client: Minio) -> None:
    ctx = bench.bucket()
    buckets.create(ctx)
    client.put_object("shop", "k", BytesIO(b"x"), 1)
    with pytest.raises(NonRecoverableError, match="delete_objects"):
        buckets.delete(ctx)
    buckets.delete(bench.bucket(ctx.instance.runtime_properties, delete_objects=True))
    assert not client.bucket_exists("shop")


def test_a_policy_is_set(bench: Bench, client: Minio) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::shop/*",
    }
    buckets.create(bench.bucket(policy={"Version": "2012-10-17", "Statement": [statement]}))
    assert "s3:GetObject" in client.get_bucket_policy("shop")


def test_a_missing_bucket_is_not_healthy(bench: Bench) -> None:
    with pytest.raises(NonRecoverableError, match="no bucket"):
        buckets.check_status(bench.bucket())


@pytest.mark.parametrize("changed", [{"secret_key": "wrong"}, {"access_key": "nobody"}, {"secret_key": ""}])
def test_wrong_keys_are_final(bench: Bench, changed: dict[str, str]) -> None:
    with pytest.raises(NonRecoverableError) as caught:
        buckets.create(bench.bucket(client_config={**bench.config, **changed}))
    assert KEYS["secret_key"] not in str(caught.value)


@pytest.mark.parametrize("endpoint", ["", "127.0.0.1:9000", "ftp://x", "http://x/path", "http://user:pw@x"])
def test_an_endpoint_that_is_none_is_final(bench: Bench, endpoint: str) -> None:
    with pytest.raises(NonRecoverableError, match="endpoint"):
        buckets.create(bench.bucket(client_config={**bench.config, "endpoint": endpoint}))


def test_a_server_that_does_not_answer_may_come_back(bench: Bench) -> None:
    with pytest.raises(RecoverableError):
        buckets.create(bench.bucket(client_config={**bench.config, "endpoint": "http://127.0.0.1:1"}))


def test_an_object_is_put_and_deleted(bench: Bench, client: Minio, shop: str) -> None:
    ctx = bench.object(content_type="text/plain", metadata={"team": "blue"})
    objects.create(ctx)
    with client.get_object(shop, "a/b.txt") as answer:
        assert (answer.read(), answer.headers["content-type"]) == (b"hello", "text/plain")
        assert answer.headers["x-amz-meta-team"] == "blue"
    assert objects.check_status(ctx) == {"bucket": shop, "key": "a/b.txt", "size": 5, "etag": etag_of(ctx)}
    objects.delete(ctx)
    with pytest.raises(NonRecoverableError, match="no object"):
        objects.check_status(bench.object())


def etag_of(ctx: BenchContext) -> Any:
    return ctx.instance.runtime_properties["etag"]


def test_putting_and_deleting_an_object_can_be_repeated(bench: Bench, client: Minio, shop: str) -> None:
    first, second = run_twice(objects.create, bench.object())
    assert first == second
    run_twice(objects.delete, bench.object(first))
    assert list(client.list_objects(shop)) == []


def test_an_object_may_be_a_file_of_the_blueprint(bench: Bench, shop: str, tmp_path: Path) -> None:
    (tmp_path / "logo.bin").write_bytes(bytes(range(256)))
    ctx = bench.object(resources=tmp_path, content="", source="logo.bin")
    objects.create(ctx)
    assert ctx.instance.runtime_properties["size"] == 256


def test_an_object_finds_its_bucket_by_its_relationship(bench: Bench, shop: str) -> None:
    ctx = bench.object(bucket="")
    related = neighbour(node_type="groundplan.nodes.minio.Bucket", runtime_properties={"name": shop})
    ctx.neighbours = (related,)
    objects.create(ctx)
    assert ctx.instance.runtime_properties["bucket"] == shop


def test_an_object_of_somebody_else_is_left_alone(bench: Bench, client: Minio, shop: str) -> None:
    client.put_object(shop, "a/b.txt", BytesIO(b"theirs"), 6)
    ctx = bench.object()
    with pytest.raises(NonRecoverableError, match="belongs to somebody else"):
        objects.create(ctx)
    objects.delete(ctx)
    assert client.stat_object(shop, "a/b.txt").size == 6


def test_an_external_object_is_found_and_kept(bench: Bench, client: Minio, shop: str) -> None:
    client.put_object(shop, "a/b.txt", BytesIO(b"theirs"), 6)
    ctx = bench.object(use_external_resource=True)
    objects.create(ctx)
    assert ctx.instance.runtime_properties["size"] == 6
    objects.delete(ctx)
    assert client.stat_object(shop, "a/b.txt").size == 6


def test_a_changed_object_is_not_healthy(bench: Bench, client: Minio, shop: str) -> None:
    ctx = bench.object()
    objects.create(ctx)
    client.put_object(shop, "a/b.txt", BytesIO(b"theirs"), 6)
    with pytest.raises(NonRecoverableError, match="changed"):
        objects.check_status(ctx)


def test_an_object_in_a_bucket_that_is_gone_counts_as_deleted(bench: Bench, shop: str, client: Minio) -> None:
    ctx = bench.object()
    objects.create(ctx)
    client.remove_object(shop, "a/b.txt")
    client.remove_bucket(shop)
    objects.delete(ctx)
    assert ctx.instance.runtime_properties == {}


def test_the_types_map_to_repeatable_operations_of_the_table() -> None:
    manifest = yaml.safe_load(files("groundplan_minio").joinpath("plugin.yaml").read_text())
    mapped = {
        path.removeprefix("minio.")
        for declared in manifest["node_types"].values()
        for operations in declared["interfaces"].values()
        for path in operations.values()
    }
    functions = {
        path: getattr({"buckets": buckets, "objects": objects}[path.split(".")[1]], path.split(".")[2])
        for path in manifest["groundplan"]["operations"]
    }
    assert mapped == set(functions)
    assert all(traits(function).repeatable for function in functions.values())
