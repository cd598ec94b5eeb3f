"""IAM as AWS answers it, where moto does not: an account comes with the policies that AWS manages.

Roles of clusters and of database monitoring attach them by ARN. Everything else of IAM is moto's own.
"""

import os
from copy import copy
from typing import Any, ClassVar

from moto.iam import urls
from moto.iam.models import IAMBackend, iam_backends


def install() -> None:
    """Make every IAM backend of this process a corrected one."""
    # The only switch moto has for it.
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    iam_backends.backend = CorrectedIAM


class CorrectedIAM(IAMBackend):  # type: ignore[misc]  # moto's classes are untyped to us
    """One partition (commercial, China, GovCloud...); moto makes all six at the first request of any service."""

    _of_aws: ClassVar[dict[str, list[Any]]] = {}
    """By account: the policies as AWS has them. Reading them takes a quarter of a second, a reset copies them."""

    @property
    def _url_module(self) -> Any:
        """moto finds a backend's URLs by the name of its module, which a subclass elsewhere would hide."""
        return urls

    def _init_aws_policies(self) -> list[Any]:
        """The 1,500 policies, in the commercial partition only: the other five would cost that first request 0.6 s."""
        if self.partition != "aws":
            return []
        if self.account_id not in self._of_aws:
            self._of_aws[self.account_id] = super()._init_aws_policies()
        return [_untouched(policy) for policy in self._of_aws[self.account_id]]


def _untouched(policy: Any) -> Any:
    """A copy that shares with the original only what nobody changes."""
    made = copy(policy)
    made.versions = [copy(version) for version in policy.versions]
    made.tags = dict(policy.tags)
    return made
