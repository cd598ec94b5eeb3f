"""Contents that come with the blueprint: objects of S3 and the code of Lambda functions."""

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from groundplan.model.values import Data
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws import lifecycle
from groundplan_aws.target import Target, on_target


@on_target
def create(target: Target) -> Data:
    """Put the object: a file of the blueprint (`source_type: local`, `path`), or the configuration's `Body`
    (`source_type: bytes`)."""
    if target.untouchable:
        lifecycle.adopt(target)
        return None
    content = _content(target)
    config = {key: value for key, value in target.config.items() if key != "path"}
    name = config.get("Key") or target.ctx.node.properties.get("resource_id")
    if not name and target.ctx.node.properties.get("path"):
        config["Key"] = PurePosixPath(str(target.ctx.node.properties["path"])).name
    target = replace(target, config={**config, "Body": content})
    lifecycle.settle(target, lifecycle.obtain(target)[0])
    return None


@on_target
def create_function(target: Target) -> Data:
    """Make the function; `Code.ZipFile` is a file of the blueprint."""
    if target.untouchable:
        lifecycle.adopt(target)
        return None
    code: dict[str, Any] = dict(target.config.get("Code") or {})
    if isinstance(code.get("ZipFile"), str):
        code["ZipFile"] = target.ctx.resources.read(code["ZipFile"])
        target = replace(target, config={**target.config, "Code": code})
    lifecycle.settle(target, lifecycle.obtain(target)[0])
    return None


def _content(target: Target) -> bytes:
    properties = target.ctx.node.properties
    kind, path = properties.get("source_type") or "local", str(properties.get("path") or "")
    if kind == "bytes":
        body = target.config.get("Body", "")
        return body if isinstance(body, bytes) else str(body).encode()
    if kind == "remote":
        raise NonRecoverableError(
            "source_type remote is not done: nothing is fetched from elsewhere; use local or bytes"
        )
    if kind != "local" or not path:
        raise NonRecoverableError("an object needs source_type local and a path, or source_type bytes and a Body")
    return target.ctx.resources.read(path)
