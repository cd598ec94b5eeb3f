"""Buckets of S3: how one goes that still holds objects.

S3 deletes no bucket that is not empty. Whether the content may go is the author's word (`delete_objects`); without it
the deletion is S3's to refuse. All else of a bucket is `lifecycle`'s.
"""

from collections.abc import Iterator
from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws import finding, lifecycle
from groundplan_aws.failures import unless_gone
from groundplan_aws.resource import dig
from groundplan_aws.target import Target, on_target

_KINDS: Final = ("Versions", "DeleteMarkers")


@on_target
def delete(target: Target) -> Data:
    """Remove the bucket; with `delete_objects` first what it holds, in every version."""
    if target.ctx.node.properties.get("delete_objects") and not target.untouchable:
        found = finding.surviving(target)
        if found is not None:
            with unless_gone():
                _empty(target, str(found["Bucket"]))
    return lifecycle.delete(target.ctx, **target.inputs)


def _empty(target: Target, bucket: str) -> None:
    for batch in _held(target, bucket):
        answer = target.api.call("delete_objects", Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
        for refused in answer.get("Errors", ()):
            raise NonRecoverableError(
                f"DeleteObjects: {refused.get('Code')}: {refused.get('Message')} (object {refused.get('Key')})"
            )


def _held(target: Target, bucket: str) -> Iterator[list[dict[str, Any]]]:
    """What the bucket holds, in the pages of the listing: a page is no more than one deletion takes."""
    for page in target.api.pages("list_object_versions", Bucket=bucket):
        found = [each for kind in _KINDS for each in dig(page, (kind,))]
        if found:
            yield [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
