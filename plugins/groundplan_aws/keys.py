"""Access keys and console passwords of IAM users: made when the relationship to the user is established.

IAM tells a secret key once. A key whose secret went with a lost attempt is of no use: it is deleted and made again.
"""

from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.operation import operation
from groundplan_aws.failures import RefusedError, unless_gone
from groundplan_aws.relation import client, ends, id_of
from groundplan_aws.resource import dig
from groundplan_aws.target import merged

_INTENT: Final = "aws/access-keys/"
"""Prefix of what is remembered: the keys that the user had before, so that a lost one is told from others."""


@operation()
def create(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Make an access key of the related user; its parts are runtime properties `aws_resource_id` and
    `SecretAccessKey`."""
    source, target = ends(ctx)
    record, user = source.instance.runtime_properties, id_of(target)
    api, note = client(ctx, "iam"), _INTENT + source.instance.id
    if record.get("SecretAccessKey"):
        return None
    there = dig(api.call("list_access_keys", UserName=user), ("AccessKeyMetadata", "AccessKeyId"))
    before = ctx.remembered.get(note)
    for lost in set(there) - set(before.split()) if before is not None else ():
        api.call("delete_access_key", UserName=user, AccessKeyId=lost)
    if before is None:
        ctx.remembered[note] = " ".join(there)
    made = api.call("create_access_key", UserName=user)["AccessKey"]
    ctx.mask(made["SecretAccessKey"])
    record.update({"aws_resource_id": made["AccessKeyId"], "SecretAccessKey": made["SecretAccessKey"]})
    return None


@operation()
def delete(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Delete the access key; one that is gone is done."""
    source, target = ends(ctx)
    user = target.instance.runtime_properties.get("aws_resource_id")
    key = source.instance.runtime_properties.pop("aws_resource_id", None)
    source.instance.runtime_properties.pop("SecretAccessKey", None)
    if key:
        with unless_gone():
            client(ctx, "iam").call("delete_access_key", UserName=user, AccessKeyId=key)
    ctx.remembered.pop(_INTENT + source.instance.id, None)
    return None


@operation()
def create_login(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Give the related user a password for the console; one that has a password keeps it."""
    source, target = ends(ctx)
    given = merged(inputs.get("resource_config")) or merged(source.node.properties.get("resource_config"))
    user = id_of(target)
    try:
        client(ctx, "iam").call("create_login_profile", **{**given, "UserName": user})
    except RefusedError as error:
        if error.refusal.code != "EntityAlreadyExists":
            raise
        ctx.logger.info(f"the user {user} has a password already, which stays")
    source.instance.runtime_properties["aws_resource_id"] = user
    return None


@operation()
def delete_login(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Take the password away; one that is gone is done."""
    source, target = ends(ctx)
    user = source.instance.runtime_properties.pop("aws_resource_id", None)
    user = user or target.instance.runtime_properties.get("aws_resource_id")
    if user:
        with unless_gone():
            client(ctx, "iam").call("delete_login_profile", UserName=user)
    return None
