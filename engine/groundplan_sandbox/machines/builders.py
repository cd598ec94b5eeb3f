"""Makes the two servers that the sandbox's own process runs for its machines.

The one place where machines know the object store and the Kubernetes API; `services/` starts and publishes them.
"""

from pathlib import Path

from groundplan_sandbox import s3
from groundplan_sandbox.kubernetes.door import MakeCluster
from groundplan_sandbox.machines.services.household import KubernetesCluster, ObjectStore


class SandboxServers:
    """The sandbox's own object store, and its Kubernetes API or the real one."""

    def __init__(self, make_cluster: MakeCluster) -> None:
        self._make_cluster = make_cluster

    def object_store(self, folder: Path, access_key: str, secret_key: str, region: str) -> ObjectStore:
        """An S3 server. Raises ValueError for keys that MinIO would not take."""
        return s3.ObjectStore(folder, access_key, secret_key, region)

    def kubernetes(self, name: str, folder: Path) -> KubernetesCluster:
        """A cluster named `name`; its objects of an earlier run are there again."""
        return self._make_cluster(name, folder)
