"""S3 as AWS answers it, where moto does not: which names a bucket may have. Everything else of S3 is moto's own.

The rules of names are the s3 room's, which MinIO's buckets keep to as well.
"""

from typing import Any

from moto.s3 import urls
from moto.s3.exceptions import InvalidBucketName
from moto.s3.models import S3Backend, s3_backends

from groundplan_sandbox.s3.errors import S3Error
from groundplan_sandbox.s3.names import check_bucket


def install() -> None:
    """Make every S3 backend of this process a corrected one."""
    s3_backends.backend = CorrectedS3


class CorrectedS3(S3Backend):  # type: ignore[misc]  # moto's classes are untyped to us
    """S3 of one partition."""

    @property
    def _url_module(self) -> Any:
        """moto finds a backend's URLs by the name of its module, which a subclass elsewhere would hide."""
        return urls

    def create_bucket(self, bucket_name: str, *args: Any, **kwargs: Any) -> Any:
        """Refused: names that are no host's, or that Amazon keeps (InvalidBucketName)."""
        try:
            check_bucket(bucket_name)
        except S3Error as error:
            raise InvalidBucketName() from error
        return super().create_bucket(bucket_name, *args, **kwargs)
