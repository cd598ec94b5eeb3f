"""Operations of buckets: create, delete, check_status.

A bucket that the instance made carries its mark. Runtime properties: name, region, url (the endpoint with the name),
external.
"""

import json

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.operation import operation
from groundplan_minio.client import ObjectServer, connect, region_of
from groundplan_minio.failures import RefusedError
from groundplan_minio.ownership import MARK, is_external, mark_of


@operation()
def create(ctx: OperationContext, /, **_: Data) -> None:
    """Make the bucket, or find the external one."""
    server, name = connect(ctx), name_of(ctx)
    if is_external(ctx):
        if not server.has_bucket(name):
            raise NonRecoverableError(f"there is no bucket {name} at {server.endpoint}, and it is declared external")
        ctx.logger.info(f"bucket {name} is external and is left as it is")
    else:
        own(ctx, server, name)
        if policy := ctx.node.properties.get("policy"):
            server.set_policy(name, policy if isinstance(policy, str) else json.dumps(policy))
    ctx.instance.runtime_properties.update(
        name=name, region=region_of(ctx), url=f"{server.endpoint}/{name}", external=is_external(ctx)
    )


def own(ctx: OperationContext, server: ObjectServer, name: str) -> None:
    """Make the bucket and mark it, or find the one that an earlier attempt made."""
    if server.has_bucket(name):
        owner = owner_of(server, name)
        if owner == mark_of(ctx):
            return
        # Making and marking are two requests: an attempt cut off between them leaves an empty bucket without a mark.
        cut_off = ctx.instance.runtime_properties.get("making") == name or bool(ctx.operation.lost_attempt)
        if owner is not None or not cut_off or next(server.keys(name), None) is not None:
            raise NonRecoverableError(
                f"bucket {name} exists at {server.endpoint} and belongs to {owner or 'somebody else'}; "
                "choose another name, or set use_external_resource"
            )
    else:
        ctx.instance.runtime_properties["making"] = name
        server.make_bucket(name, region_of(ctx))
        ctx.logger.info(f"bucket {name} made at {server.endpoint}")
    server.tag_bucket(name, {MARK: mark_of(ctx)})
    ctx.instance.runtime_properties.pop("making", None)


@operation()
def delete(ctx: OperationContext, /, **_: Data) -> None:
    """Delete the bucket if the instance made it; with `delete_objects` also what it holds."""
    server, name = connect(ctx), name_of(ctx)
    if is_external(ctx):
        ctx.logger.info(f"bucket {name} is external and is not deleted")
    elif server.has_bucket(name):
        remove(ctx, server, name)
    ctx.instance.runtime_properties.clear()


def remove(ctx: OperationContext, server: ObjectServer, name: str) -> None:
    if owner_of(server, name) != mark_of(ctx):
        if "name" in ctx.instance.runtime_properties:
            raise NonRecoverableError(f"bucket {name} lost its tag {MARK}, so it is not deleted; delete it by hand")
        ctx.logger.info(f"bucket {name} is not this instance's and is not deleted")
        return
    if ctx.node.properties.get("delete_objects"):
        for key in server.keys(name):
            server.remove(name, key)
    try:
        server.remove_bucket(name)
    except RefusedError as error:
        if error.code == "BucketNotEmpty":
            raise NonRecoverableError(f"bucket {name} is not empty; empty it, or set delete_objects") from error
        if not error.absent:
            raise
    ctx.logger.info(f"bucket {name} deleted")


@operation()
def check_status(ctx: OperationContext, /, **_: Data) -> Data:
    """Ask the server whether the bucket is there; NonRecoverableError when it is not."""
    server, name = connect(ctx), name_of(ctx)
    if not server.has_bucket(name):
        raise NonRecoverableError(f"there is no bucket {name} at {server.endpoint}")
    return {"name": name, "exists": True}


def name_of(ctx: OperationContext) -> str:
    """The bucket's name; the one it was made with counts, whatever the node says since."""
    name = ctx.instance.runtime_properties.get("name") or ctx.node.properties.get("name")
    if not name:
        raise NonRecoverableError("the property name must give the bucket's name")
    return str(name)


def owner_of(server: ObjectServer, name: str) -> str | None:
    """The mark on a bucket; None when it has none."""
    try:
        return server.bucket_tags(name).get(MARK)
    except RefusedError as error:
        if error.absent:
            return None
        raise
