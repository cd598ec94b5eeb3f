"""Machine images: looked up by id or by filters, as they usually are somebody else's, or made of an instance."""

from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws import lifecycle
from groundplan_aws.resource import dig
from groundplan_aws.target import Target, on_target

_SEARCH: Final = ("Filters", "Owners", "ExecutableUsers")


@on_target
def create(target: Target) -> Data:
    """Make an image of the configured or related instance; an external one is found by `resource_id`, or is the newest
    that the configuration's `Filters` and `Owners` match."""
    if not target.untouchable:
        lifecycle.settle(target, lifecycle.obtain(target)[0])
        return None
    if target.id is None:
        target.record["aws_resource_id"] = _newest(target)
    lifecycle.adopt(target)
    return None


def _newest(target: Target) -> str:
    search: dict[str, Any] = {name: target.config[name] for name in _SEARCH if target.config.get(name)}
    if not search:
        raise NonRecoverableError("an external image needs a resource_id, or Filters by which to find it")
    found = dig(target.api.call("describe_images", **search), ("Images",))
    if not found:
        raise NonRecoverableError(f"no image matches {search}")
    return str(max(found, key=lambda image: str(image.get("CreationDate", "")))["ImageId"])
