"""IAM as AWS answers it, where moto does not: an account comes with the policies that AWS manages.

Roles of clusters and of database monitoring attach them by ARN. Everything else of IAM is moto's own.
"""

import os
from typing import Any

from moto.iam import urls
from moto.iam.models import IAMBackend, iam_backends


def install() -> None:
    """Make every IAM backend of this process a corrected one."""
    # The only switch moto has for it.
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    iam_backends.backend = CorrectedIAM


class CorrectedIAM(IAMBackend):  # type: ignore[misc]  # moto's classes are untyped to us
    """One partition (commercial, China, GovCloud...); moto makes all six at the first request of any service."""

    @property
    def _url_module(self) -> Any:
        """moto finds a backend's URLs by the name of its module, which a subclass elsewhere would hide."""
        return urls

    def _init_aws_policies(self) -> list[Any]:
        """The 1,500 policies, in the commercial partition only: the other five would cost that first request 0.6 s."""
        return super()._init_aws_policies() if self.partition == "aws" else []
