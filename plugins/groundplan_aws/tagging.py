"""Tags of a resource: the author's, the deployment's, and one by which a lost attempt's work is found again.

The last is put on at creation wherever AWS lets one, so that nothing can be made and stay unknown. AWS's limits on keys
and values are its own to check; how a service wants its tags written is asked of its model (`client.TagParameter`).
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws.newer import properties_of

OWNER_KEY: Final = "groundplan:instance"
"""Key of the tag that names the node instance: `DEPLOYMENT/INSTANCE`."""

_SPELLINGS: Final = ("Tags", "tags", "TagSet", "TagList", "UserPoolTags", "IdentityPoolTags")
"""Where descriptions tell tags."""

_LONGEST: Final = 256
"""Characters of a tag's value (EC2 User Guide, "Tag restrictions")."""


def owner(ctx: OperationContext) -> str:
    """Return the value of the owner tag; a name too long for a tag is shortened to its hash."""
    name = f"{ctx.deployment.id}/{ctx.instance.id}"
    return name if len(name) <= _LONGEST else sha256(name.encode()).hexdigest()


def owner_in(description: Mapping[str, Any]) -> str | None:
    """Return the owner that a described resource's tags name."""
    return next((found[OWNER_KEY] for found in map(pairs, _written_in(description)) if OWNER_KEY in found), None)


def pairs(written: Any) -> dict[str, str]:
    """Read tags as authors and services write them: a dictionary, or a list of Key and Value in any spelling.

    Raises:
        NonRecoverableError: it is neither.
    """
    if isinstance(written, Mapping):
        return {str(key): _text(value) for key, value in written.items()}
    return dict(_pair(tag) for tag in written or ())


def token(ctx: OperationContext, predecessors: Iterable[str]) -> str:
    """Return the client token of a create call, 64 characters: the same for all attempts to make one resource.

    AWS answers a known token with the resource of the first call, terminated or not. So the execution is in it, and the
    ids of the resources that this instance had before and that are gone.
    """
    return sha256("/".join([owner(ctx), ctx.execution_id, *sorted(predecessors)]).encode()).hexdigest()


def wanted(ctx: OperationContext) -> dict[str, str]:
    """Return all tags of the context's node instance; the author's win over the deployment's."""
    return {**ctx.deployment.resource_tags, **pairs(properties_of(ctx.node).get("Tags")), OWNER_KEY: owner(ctx)}


def tags(ctx: OperationContext) -> list[dict[str, str]]:
    """Return all tags of the context's node instance as EC2 wants them."""
    return [{"Key": key, "Value": value} for key, value in wanted(ctx).items()]


def specifications(ctx: OperationContext, resource_type: str, given: Any) -> list[dict[str, Any]]:
    """Return `TagSpecifications` with our tags put on `resource_type`, and what the author specified kept."""
    kept = [{"ResourceType": resource_type, **item} for item in given or ()]
    own = next((item for item in kept if item.get("ResourceType") == resource_type), None)
    if own is None:
        return [*kept, {"ResourceType": resource_type, "Tags": tags(ctx)}]
    ours = {tag["Key"] for tag in tags(ctx)}
    own["Tags"] = [*(tag for tag in own.get("Tags", ()) if tag.get("Key") not in ours), *tags(ctx)]
    return kept


def _written_in(description: Mapping[str, Any]) -> list[Any]:
    return [description[name] for name in _SPELLINGS if description.get(name)]


def _pair(tag: Any) -> tuple[str, str]:
    lowered = {str(name).lower(): value for name, value in tag.items()} if isinstance(tag, Mapping) else {}
    key = lowered.get("key", lowered.get("tagkey"))
    if key is None:
        raise NonRecoverableError("Tags must be a list of Key and Value, or a dictionary")
    return str(key), _text(lowered.get("value", lowered.get("tagvalue", "")))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
