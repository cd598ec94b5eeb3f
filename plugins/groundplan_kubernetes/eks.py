"""The token by which Amazon EKS knows an AWS user: what `aws eks get-token` and `aws-iam-authenticator token` print.

It is a URL of STS GetCallerIdentity, signed in advance and bound to the cluster's name by a header, in base64url
(aws-iam-authenticator's README, "API Authorization from Outside a Cluster"). Nothing is asked of AWS here: the cluster
asks. Other commands and roles to assume are refused by `token_commands`.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from groundplan_kubernetes.presigning import AwsKeys, presign

_SECONDS: Final = 60
"""What the signature says; EKS takes a token for 15 minutes."""
_FRESH: Final = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class EksCluster:
    """A cluster by its name (`eks create-cluster --name`), and the region whose STS answers for its users."""

    name: str
    region: str


def eks_token(cluster: EksCluster, keys: AwsKeys, now: datetime) -> str:
    """Return the bearer token of an AWS user for a cluster; EKS takes it for 15 minutes from `now` (UTC) on."""
    suffix = "amazonaws.com.cn" if cluster.region.startswith("cn-") else "amazonaws.com"
    url = presign(
        keys,
        host=f"sts.{cluster.region}.{suffix}",
        service="sts",
        region=cluster.region,
        query={"Action": "GetCallerIdentity", "Version": "2011-06-15"},
        headers={"x-k8s-aws-id": cluster.name},
        seconds=_SECONDS,
        now=now,
    )
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


class EksCredential:
    """The header with a token that is made anew when it is older than ten minutes."""

    def __init__(
        self, cluster: EksCluster, keys: AwsKeys, *, now: Callable[[], datetime], learnt: Callable[[str], None]
    ) -> None:
        """Args: now: the time in UTC. learnt: told each new token, to have it masked."""
        self._cluster, self._keys = cluster, keys
        self._now, self._learnt = now, learnt
        self._lock = Lock()
        self._made: tuple[datetime, str] | None = None

    def header(self) -> str:
        with self._lock:
            now = self._now()
            if self._made is None or now - self._made[0] > _FRESH:
                self._made = now, eks_token(self._cluster, self._keys, now)
                self._learnt(self._made[1])
            return f"Bearer {self._made[1]}"
