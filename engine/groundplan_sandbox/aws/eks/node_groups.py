"""Node groups: CREATING, ACTIVE, UPDATING, DELETING, and nodes in the cluster's API as long as they are there.

A node has an interface in its subnet and no instance: no container would run on one. `clusters` has the rest of EKS.
"""

import itertools
from typing import Any

from moto.eks import models
from moto.eks.exceptions import ResourceInUseException

from groundplan_sandbox.aws.eks.clusters import ClusterCorrections
from groundplan_sandbox.aws.eks.network import refusal

_NODES = 100
"""Most nodes of one group: AWS allows 450, and each costs objects here."""


class NodeGroupCorrections(ClusterCorrections):
    """Create, update, delete a node group."""

    def create_nodegroup(
        self, cluster_name: str, node_role: str, nodegroup_name: str, subnets: list[str], **kwargs: Any
    ) -> models.Nodegroup:
        """CREATING first; its nodes are there when it is ACTIVE. Unknown role and subnets, odd sizes are refused."""
        token = kwargs.get("client_request_token")
        known = self.describe_cluster(cluster_name).nodegroups.get(nodegroup_name)
        if known is not None and token and known.client_request_token == token:
            return known
        kwargs["scaling_config"] = models.DEFAULT_SCALING_CONFIG | (kwargs.get("scaling_config") or {})
        kwargs["version"] = kwargs.get("version") or self.clusters[cluster_name].version
        _require_sizes(kwargs["scaling_config"])
        self.require_role(node_role)
        self.network.subnets(subnets)
        group = super().create_nodegroup(cluster_name, node_role, nodegroup_name, subnets, **kwargs)
        group.release_version = f"{group.version}.0-20240101"
        group.status, group.nodes = "CREATING", {}
        self.site.transitions.later(lambda: self._settle(group, "CREATING"))
        return group

    def delete_nodegroup(self, cluster_name: str, nodegroup_name: str) -> models.Nodegroup:
        """DELETING first; with it go its nodes, and the pods on them."""
        group = self.describe_nodegroup(cluster_name, nodegroup_name)
        if group.status == "DELETING":
            return group
        group.status = "DELETING"

        def gone() -> None:
            cluster = self.clusters.get(cluster_name)
            if cluster is not None and cluster.nodegroups.get(nodegroup_name) is group:
                self._resize(group, 0)
                models.EKSBackend.delete_nodegroup(self, cluster_name, nodegroup_name)

        self.site.transitions.later(gone)
        return group

    def update_nodegroup_config(self, cluster_name: str, nodegroup_name: str, **changes: Any) -> dict[str, Any]:
        """UPDATING first; then the group has its new size and its nodes the new labels."""
        group = self.describe_nodegroup(cluster_name, nodegroup_name)
        if group.status != "ACTIVE":
            raise ResourceInUseException(
                clusterName=cluster_name,
                nodegroupName=nodegroup_name,
                addonName=None,
                message=f"Nodegroup cannot be updated as it is currently not in Active State: {group.status}",
            )
        if changes.get("scaling_config"):
            changes["scaling_config"] = group.scaling_config | changes["scaling_config"]
            _require_sizes(changes["scaling_config"])

        def settle() -> None:
            models.EKSBackend.update_nodegroup_config(self, cluster_name, nodegroup_name, **changes)
            self._fill(group)

        return self.update(self.clusters[cluster_name], group, "ConfigUpdate", [], settle)

    def _settle(self, group: models.Nodegroup, before: str) -> None:
        if group.status == before and group.cluster_name in self.clusters:
            self._fill(group)
            group.status = "ACTIVE"

    def _fill(self, group: models.Nodegroup) -> None:
        """As many nodes as are desired, all with the group's labels."""
        self._resize(group, int(group.scaling_config["desiredSize"]))
        for name, eni in group.nodes.items():
            self._api(group).add_node(name, eni.private_ip_address, self._labels(group, eni))

    def _resize(self, group: models.Nodegroup, size: int) -> None:
        while len(group.nodes) > size:
            name, eni = group.nodes.popitem()
            self._api(group).remove_node(name)
            self.network.detach(eni)
        cluster_group = self.clusters[group.cluster_name].resources_vpc_config["clusterSecurityGroupId"]
        for subnet in itertools.islice(itertools.cycle(group.subnets), len(group.nodes), size):
            eni = self.network.attach(f"EKS node of {group.nodegroup_name}", subnet, [cluster_group])
            dashed = eni.private_ip_address.replace(".", "-")
            group.nodes[f"ip-{dashed}.{self.region_name}.compute.internal"] = eni

    def _api(self, group: models.Nodegroup) -> Any:
        return self.clusters[group.cluster_name].server.cluster

    def _labels(self, group: models.Nodegroup, eni: Any) -> dict[str, str]:
        return {
            "eks.amazonaws.com/nodegroup": group.nodegroup_name,
            "eks.amazonaws.com/capacityType": group.capacity_type,
            "node.kubernetes.io/instance-type": group.instance_types[0],
            "topology.kubernetes.io/region": self.region_name,
            "topology.kubernetes.io/zone": eni.subnet.availability_zone,
            **group.labels,
        }


def _require_sizes(scaling: dict[str, int]) -> None:
    least, wanted, most = (int(scaling[key]) for key in ("minSize", "desiredSize", "maxSize"))
    if wanted < least:
        raise refusal(f"Minimum capacity {least} can't be greater than desired size {wanted}")
    if wanted > most:
        raise refusal(f"desired capacity {wanted} can't be greater than max size {most}")
    if most > _NODES:
        raise refusal(f"the sandbox has room for {_NODES} nodes in a group, not for {most}")
