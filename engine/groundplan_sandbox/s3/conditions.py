"""Conditions on a request: If-Match and its kin, and byte ranges (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from groundplan_sandbox.s3.errors import S3Error, no_such_key, precondition_failed
from groundplan_sandbox.s3.records import ObjectRecord


def names_etag(condition: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in condition.split(",")]
    return "*" in tags or etag in tags


def seconds_of(date: str) -> float | None:
    """An HTTP date in seconds since the epoch; None when it is none, and then the condition does not count."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


def changed_since(record: ObjectRecord, date: str) -> bool | None:
    since = seconds_of(date)
    return None if since is None else int(record.modified) > since


def not_modified(record: ObjectRecord, headers: Mapping[str, str]) -> bool:
    """Whether a GET or HEAD is to be answered 304; S3Error PreconditionFailed when it is to be answered 412."""
    check_source(record, headers, prefix="")
    if (none_match := headers.get("if-none-match")) is not None:
        return names_etag(none_match, record.etag)
    since = headers.get("if-modified-since")
    return since is not None and changed_since(record, since) is False


def check_source(record: ObjectRecord, headers: Mapping[str, str], *, prefix: str) -> None:
    """If-Match and If-Unmodified-Since; of a copy's source all four, with the prefix `x-amz-copy-source-`."""
    match = headers.get(f"{prefix}if-match")
    if match is not None and not names_etag(match, record.etag):
        raise precondition_failed("If-Match")
    unmodified = headers.get(f"{prefix}if-unmodified-since")
    if match is None and unmodified is not None and changed_since(record, unmodified):
        raise precondition_failed("If-Unmodified-Since")
    if not prefix:
        return
    none_match = headers.get(f"{prefix}if-none-match")
    if none_match is not None and names_etag(none_match, record.etag):
        raise precondition_failed("If-None-Match")
    since = headers.get(f"{prefix}if-modified-since")
    if none_match is None and since is not None and changed_since(record, since) is False:
        raise precondition_failed("If-Modified-Since")


def check_write(existing: ObjectRecord | None, headers: Mapping[str, str]) -> None:
    """Conditions of a write: `If-None-Match` (not over this, or with `*` over any) and `If-Match` (only over this)."""
    none_match, match = headers.get("if-none-match"), headers.get("if-match")
    if none_match is not None and existing is not None and names_etag(none_match, existing.etag):
        raise precondition_failed("If-None-Match")
    if match is not None and existing is None:
        raise no_such_key()
    if match is not None and existing is not None and not names_etag(match, existing.etag):
        raise precondition_failed("If-Match")


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte of a single range; None for no range, several, or one not understood (they do not count).

    Raises:
        S3Error: InvalidRange, when no byte of the object lies in it.
    """
    unit, _, text = (header or "").partition("=")
    first, dash, last = (part.strip() for part in text.partition("-"))
    if unit.strip() != "bytes" or not dash or not (first + last).isdecimal() or not (first + last).isascii():
        return None
    if first:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
    else:
        start, end = max(size - int(last), 0), size - 1
    if start > end:
        raise S3Error(
            "InvalidRange",
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            "The requested range is not satisfiable",
            headers={"Content-Range": f"bytes */{size}"},
            ActualObjectSize=str(size),
        )
    return start, end
