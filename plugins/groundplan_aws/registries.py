"""Logins to registries of ECR: tokens that AWS gives for twelve hours, and that belong to nobody but their reader."""

import base64
from typing import Any

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.operation import operation
from groundplan_aws.client import account_of, connect
from groundplan_aws.target import configuration, plain


@operation()
def authorize(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Ask for a token and record AWS's answer as `create_response`; token and password are masked from now on."""
    account = account_of(ctx, ctx.node.properties.get("client_config") or {})
    given = configuration(ctx, inputs)
    if given.get("registryIds"):
        given["registryIds"] = [str(found) for found in given["registryIds"]]
    answer = connect("ecr", account).call("get_authorization_token", **given)
    for told in answer["authorizationData"]:
        secret = str(told["authorizationToken"])
        ctx.mask(secret)
        ctx.mask(base64.b64decode(secret).decode().partition(":")[2])
    ctx.instance.runtime_properties["create_response"] = plain(answer)
    return None
