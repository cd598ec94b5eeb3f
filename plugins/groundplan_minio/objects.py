"""Operations of objects: create, delete, check_status.

An object that the instance made carries its mark in its user metadata, written with its bytes in one request. Runtime
properties: bucket, key, url, etag, size, external.
"""

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.operation import operation
from groundplan_minio.client import ObjectFacts, connect
from groundplan_minio.failures import RefusedError
from groundplan_minio.ownership import MARK, is_external, mark_of

BUCKET_TYPE = "groundplan.nodes.minio.Bucket"


@operation()
def create(ctx: OperationContext, /, **_: Data) -> None:
    """Put the object, or find the external one."""
    server, (bucket, key) = connect(ctx), place_of(ctx)
    found = server.describe(bucket, key)
    if is_external(ctx):
        if found is None:
            raise NonRecoverableError(f"there is no object {bucket}/{key}, and it is declared external")
        ctx.logger.info(f"object {bucket}/{key} is external and is left as it is")
    else:
        refuse_others(ctx, found, f"{bucket}/{key}")
        content_type = str(ctx.node.properties.get("content_type") or "application/octet-stream")
        server.put(bucket, key, content_of(ctx), content_type, {**metadata_of(ctx), MARK: mark_of(ctx)})
        found = server.describe(bucket, key)
        if found is None:
            raise NonRecoverableError(f"object {bucket}/{key} was deleted by somebody else while it was made")
    ctx.instance.runtime_properties.update(
        bucket=bucket,
        key=key,
        url=f"{server.endpoint}/{bucket}/{key}",
        etag=found.etag,
        size=found.size,
        external=is_external(ctx),
    )


def refuse_others(ctx: OperationContext, found: ObjectFacts | None, place: str) -> None:
    if found is not None and found.metadata.get(MARK) != mark_of(ctx):
        owner = found.metadata.get(MARK, "somebody else")
        raise NonRecoverableError(
            f"object {place} exists and belongs to {owner}; choose another key, or set use_external_resource"
        )


def content_of(ctx: OperationContext) -> bytes:
    content, source = ctx.node.properties.get("content"), ctx.node.properties.get("source")
    if content and source:
        raise NonRecoverableError("give content or source, not both")
    return ctx.resources.read(str(source)) if source else str(content or "").encode()


def metadata_of(ctx: OperationContext) -> dict[str, str]:
    metadata = ctx.node.properties.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise NonRecoverableError("the property metadata must be a map of text by name")
    return {str(name): str(value) for name, value in metadata.items()}


@operation()
def delete(ctx: OperationContext, /, **_: Data) -> None:
    """Delete the object if the instance made it."""
    server, (bucket, key) = connect(ctx), place_of(ctx)
    if is_external(ctx):
        ctx.logger.info(f"object {bucket}/{key} is external and is not deleted")
    elif (found := described(ctx, bucket, key)) is not None:
        if found.metadata.get(MARK) == mark_of(ctx):
            server.remove(bucket, key)
            ctx.logger.info(f"object {bucket}/{key} deleted")
        else:
            ctx.logger.warning(f"object {bucket}/{key} was written by somebody else since and is not deleted")
    ctx.instance.runtime_properties.clear()


def described(ctx: OperationContext, bucket: str, key: str) -> ObjectFacts | None:
    """The object, None also when its whole bucket is gone."""
    try:
        return connect(ctx).describe(bucket, key)
    except RefusedError as error:
        if error.absent:
            return None
        raise


@operation()
def check_status(ctx: OperationContext, /, **_: Data) -> Data:
    """Ask the server for the object; NonRecoverableError when it is not there or its bytes are others."""
    bucket, key = place_of(ctx)
    found = described(ctx, bucket, key)
    if found is None:
        raise NonRecoverableError(f"there is no object {bucket}/{key}")
    etag = ctx.instance.runtime_properties.get("etag")
    if etag and found.etag != etag and not is_external(ctx):
        raise NonRecoverableError(f"object {bucket}/{key} was changed since it was made")
    return {"bucket": bucket, "key": key, "size": found.size, "etag": found.etag}


def place_of(ctx: OperationContext) -> tuple[str, str]:
    """Bucket and key: as recorded, else as the node says, else with the name of a related Bucket node.

    Raises:
        NonRecoverableError: no bucket or no key is to be had.
    """
    recorded = ctx.instance.runtime_properties
    bucket = recorded.get("bucket") or ctx.node.properties.get("bucket") or related_bucket(ctx)
    key = recorded.get("key") or ctx.node.properties.get("key")
    if not bucket or not key:
        raise NonRecoverableError("the object needs a key, and a bucket or a relationship to a Bucket node")
    return str(bucket), str(key)


def related_bucket(ctx: OperationContext) -> Data:
    for neighbour in ctx.neighbours:
        if neighbour.outgoing and neighbour.node.is_a(BUCKET_TYPE):
            return neighbour.instance.runtime_properties.get("name")
    return None
