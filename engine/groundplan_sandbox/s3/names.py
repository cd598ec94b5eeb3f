"""Which names a bucket and an object may have.

Rules: "Bucket naming rules" of the Amazon S3 user guide, and MinIO's refusal of `.`, `..` and empty parts of a key.
Keys never become file names: catalogue.py stores objects under hashes.
"""

from __future__ import annotations

import ipaddress
import re

from groundplan_sandbox.s3.errors import S3Error, bad_request, forbidden

KEY_BYTES = 1024
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def check_bucket(name: str) -> None:
    """Raises S3Error InvalidBucketName, or AllAccessDisabled for the name under which MinIO serves its own paths."""
    if name == "minio":
        raise forbidden("AllAccessDisabled", "All access to this resource has been disabled.")
    odd = ".." in name or ".-" in name or "-." in name or is_address(name)
    if odd or not BUCKET.fullmatch(name) or name.startswith(RESERVED_PREFIXES) or name.endswith(RESERVED_SUFFIXES):
        raise invalid_bucket_name()


def invalid_bucket_name() -> S3Error:
    return bad_request("InvalidBucketName", "The specified bucket is not valid.")


def is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True


def check_key(key: str) -> None:
    """Raises S3Error KeyTooLongError (over 1024 bytes of UTF-8) or XMinioInvalidObjectName."""
    if len(key.encode()) > KEY_BYTES:
        raise bad_request("KeyTooLongError", "Your key is too long")
    if "\0" in key or "//" in key or not {".", ".."}.isdisjoint(key.split("/")):
        raise bad_request("XMinioInvalidObjectName", "Object name contains unsupported characters.")
