"""Clusters: CREATING until their Kubernetes API answers, DELETING until it is gone, and what may be asked meanwhile.

moto's are ACTIVE at once and lead nowhere. `network` looks after the VPC, `node_groups` after nodes; a Kubernetes API
itself is the kubernetes room's.
"""

import base64
import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto.eks import models
from moto.eks.exceptions import ResourceInUseException, ResourceNotFoundException
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends

from groundplan_sandbox.aws.eks.network import ClusterNetwork, refusal
from groundplan_sandbox.aws.eks.tokens import user_of
from groundplan_sandbox.aws.site import Site
from groundplan_sandbox.kubernetes.discovery import GIT_VERSION

NEWEST = ".".join(GIT_VERSION.removeprefix("v").split(".")[:2])
"""The minor version that the sandbox's Kubernetes API is, and the default of a new cluster, as `1.33`."""

_PORTS = (443, 6443)
_VERSION = re.compile(r"1\.(\d{2})")


class ApiServer:
    """The Kubernetes API of one cluster, on port 443 of its address or on 6443 where 443 is not ours to have."""

    def __init__(self, site: Site, name: str, address: str, folder: Path) -> None:
        self._address = address
        self._port = 0
        self.cluster = site.make_cluster(
            name, folder, own_node=False, webhook=lambda token: user_of(token, name, site.credentials)
        )

    @property
    def url(self) -> str:
        return f"https://{self._address}" + ("" if self._port == _PORTS[0] else f":{self._port}")

    def start(self) -> None:
        """Raises OSError when both ports are taken."""
        for port in _PORTS:
            try:
                self.cluster.start([(self._address, port)], [self._address])
            except OSError:
                if port == _PORTS[-1]:
                    raise
            else:
                self._port = port
                return

    def delete(self) -> None:
        self.cluster.delete()


class ClusterCorrections(models.EKSBackend):  # type: ignore[misc]  # moto's classes are untyped to us
    """Create, describe, update, delete a cluster. moto makes backends itself, so the site is the class's."""

    site: Site

    def create_cluster(
        self, name: str, role_arn: str, resources_vpc_config: dict[str, Any], **kwargs: Any
    ) -> models.Cluster:
        """CREATING first. Unknown role, subnets, groups and versions are refused; a repeated token is not a second."""
        token = kwargs.get("client_request_token")
        known = self.clusters.get(name)
        if known is not None and token and known.client_request_token == token:
            return known
        subnet_ids, group_ids = (resources_vpc_config.get(key) or [] for key in ("subnetIds", "securityGroupIds"))
        version = kwargs["version"] = kwargs.get("version") or NEWEST
        if known is None:
            _require_version(version)
            self.require_role(role_arn)
            vpc_id = self.network.vpc_of_cluster(subnet_ids, group_ids)
        cluster = super().create_cluster(name, role_arn, resources_vpc_config, **kwargs)
        cluster.status, cluster.endpoint, cluster.certificate_authority = "CREATING", None, None
        cluster.resources_vpc_config = {
            "endpointPublicAccess": True,
            "endpointPrivateAccess": False,
            "publicAccessCidrs": ["0.0.0.0/0"],
            **resources_vpc_config,
            "securityGroupIds": group_ids,
            "vpcId": vpc_id,
            "clusterSecurityGroupId": self.network.open(name, vpc_id, subnet_ids, group_ids),
        }
        cluster.updates = {}
        self._boot(cluster)
        return cluster

    def delete_cluster(self, name: str) -> models.Cluster:
        """DELETING first. Refused (ResourceInUseException) while node groups are there or the cluster is not ready."""
        cluster = self.describe_cluster(name)
        models.validate_safe_to_delete(cluster)
        if cluster.fargate_profiles:
            raise _in_use(name, "Cluster has Fargate profiles attached")
        if cluster.status == "DELETING":
            return cluster
        if cluster.status in ("CREATING", "UPDATING"):
            raise _in_use(name, f"Cluster has status {cluster.status} and cannot be deleted")
        cluster.status = "DELETING"

        def gone(_: None) -> None:
            if self.clusters.get(name) is cluster:
                self.network.close(name, cluster.resources_vpc_config["clusterSecurityGroupId"])
                models.EKSBackend.delete_cluster(self, name)

        def stuck(_: Exception) -> None:
            cluster.status = "FAILED"

        self.site.transitions.perform(lambda: self.site.servers.end(cluster.server_name), gone, stuck)
        return cluster

    def update_cluster_version(self, name: str, version: str) -> dict[str, Any]:
        """One minor version up; UPDATING first. What the API server says of its own version does not change."""
        cluster = self.require_active(name)
        before, after = (int(_require_version(each)) for each in (cluster.version, version))
        if after == before:
            raise refusal(f"Cluster is already at version {version}")
        if after != before + 1:
            raise refusal(f"Unsupported Kubernetes minor version update from {cluster.version} to {version}")
        params = [{"type": "Version", "value": version}]

        def settle() -> None:
            cluster.version = version

        return self.update(cluster, cluster, "VersionUpdate", params, settle)

    def update_cluster_config(self, name: str, resources_vpc_config: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Changes the given settings and keeps the others; UPDATING first."""
        cluster = self.require_active(name)
        merged = cluster.resources_vpc_config | (resources_vpc_config or {})
        kind = "EndpointAccessUpdate" if resources_vpc_config else "LoggingUpdate"
        given = models.EKSBackend.update_cluster_config
        return self.update(cluster, cluster, kind, [], lambda: given(self, name, merged, **kwargs))

    def update(
        self, cluster: models.Cluster, resource: Any, kind: str, params: list[dict[str, str]], settle: Any
    ) -> dict[str, Any]:
        """Begin an update of a cluster or of one of its node groups; `settle` makes it true."""
        made = {
            "id": str(uuid.uuid4()),
            "status": "InProgress",
            "type": kind,
            "params": params,
            "createdAt": datetime.now(UTC),
            "errors": [],
        }
        cluster.updates[made["id"]] = made
        resource.status = "UPDATING"

        def finish() -> None:
            if resource.status == "UPDATING":
                settle()
                resource.status, made["status"] = "ACTIVE", "Successful"

        self.site.transitions.later(finish)
        return made

    def describe_update(self, name: str, update_id: str) -> dict[str, Any]:
        """The update of that id, of the cluster or of a node group of it."""
        found: dict[str, Any] | None = self.describe_cluster(name).updates.get(update_id)
        if found is None:
            raise ResourceNotFoundException(clusterName=name, message=f"No update found for ID: {update_id}")
        return found

    @property
    def network(self) -> ClusterNetwork:
        return ClusterNetwork(self.account_id, self.region_name)

    def require_role(self, arn: str) -> None:
        """Raises InvalidParameterException for a role that IAM does not know."""
        models.validate_role_arn(arn)
        try:
            iam_backends[self.account_id][self.partition].get_role_by_arn(arn)
        except NotFoundException as error:
            raise refusal(f"The role with name {arn.rpartition('/')[2]} cannot be found.") from error

    def require_active(self, name: str) -> models.Cluster:
        """Raises ResourceInUseException for a cluster in a state that allows no change."""
        cluster = self.describe_cluster(name)
        if not cluster.is_active:
            raise _in_use(name, f"Cluster has status {cluster.status} and cannot be updated")
        return cluster

    def _boot(self, cluster: models.Cluster) -> None:
        name = cluster.name
        cluster.server_name = f"eks-{uuid.uuid4().hex}"
        self.site.servers.reserve(cluster.server_name)

        def start() -> tuple[str, ApiServer]:
            return self.site.servers.start(
                cluster.server_name, lambda address, folder: ApiServer(self.site, name, address, folder)
            )

        def up(started: tuple[str, ApiServer]) -> None:
            cluster.server = started[1]
            cluster.endpoint = started[1].url
            pem = started[1].cluster.authority
            cluster.certificate_authority = {"data": base64.b64encode(pem.encode()).decode()}
            cluster.status = "ACTIVE"

        def failed(_: Exception) -> None:
            cluster.status = "FAILED"

        self.site.transitions.perform(start, up, failed)

    def list_nodegroups(self, cluster_name: str, max_results: int, next_token: str | None) -> Any:
        self.describe_cluster(cluster_name)
        return super().list_nodegroups(cluster_name, max_results, next_token)

    def list_fargate_profiles(self, cluster_name: str, max_results: int, next_token: str | None) -> Any:
        self.describe_cluster(cluster_name)
        return super().list_fargate_profiles(cluster_name, max_results, next_token)


def _require_version(version: str) -> str:
    """The minor version of `1.33`. Raises InvalidParameterException."""
    found = _VERSION.fullmatch(version)
    if found is None or int(found[1]) > int(NEWEST.partition(".")[2]):
        raise refusal(f"unsupported Kubernetes version {version}")
    return found[1]


def _in_use(name: str, message: str) -> Exception:
    error: Exception = ResourceInUseException(clusterName=name, nodegroupName=None, addonName=None, message=message)
    return error
