"""Buckets of S3: how one goes that still holds objects, and how tags are put on one that has others.

S3 deletes no bucket that is not empty. Whether the content may go is the author's word (`delete_objects`); without it
the deletion is S3's to refuse. S3 replaces all tags of a bucket at once: those of others, and the owner tag, are kept
here. All else of a bucket is `lifecycle`'s.
"""

from collections.abc import Iterator
from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws import finding, lifecycle, parts
from groundplan_aws.client import Api
from groundplan_aws.failures import RefusedError, unless_gone
from groundplan_aws.resource import dig
from groundplan_aws.tagging import pairs
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


@parts.on_piece
def tag(piece: parts.Piece) -> Data:
    """Put the tags on, beside those that the bucket has."""
    parameters = piece.parameters
    if not piece.untouchable:
        bucket = str(parameters["Bucket"])
        _write(piece.api, bucket, {**_tags(piece.api, bucket), **_asked(parameters)})
    parts.note(piece, parameters)
    return None


@parts.on_piece
def untag(piece: parts.Piece) -> Data:
    """Take those tags off that still say what was put on."""
    parameters = piece.parameters
    bucket = parameters.get("Bucket")
    if bucket and not piece.untouchable:
        ours = _asked(parameters).items()
        with unless_gone():
            there = _tags(piece.api, bucket)
            _write(piece.api, bucket, {key: value for key, value in there.items() if (key, value) not in ours})
    piece.record.clear()
    return None


def _asked(parameters: dict[str, Any]) -> dict[str, str]:
    return pairs((parameters.get("Tagging") or {}).get("TagSet"))


def _tags(api: Api, bucket: str) -> dict[str, str]:
    try:
        return pairs(api.call("get_bucket_tagging", Bucket=bucket)["TagSet"])
    except RefusedError as error:
        if error.refusal.code != "NoSuchTagSet":
            raise
        return {}


def _write(api: Api, bucket: str, tags: dict[str, str]) -> None:
    if tags:
        written = [{"Key": key, "Value": value} for key, value in tags.items()]
        api.call("put_bucket_tagging", Bucket=bucket, Tagging={"TagSet": written})
    else:
        api.call("delete_bucket_tagging", Bucket=bucket)


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
