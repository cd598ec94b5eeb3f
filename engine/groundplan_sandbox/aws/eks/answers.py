"""The calls of EKS that moto's server lacks, and the shape of those that it answers otherwise than AWS.

The rest of the requests go to moto's own responses; what they mean is decided in `node_groups` and `clusters`.
"""

from typing import Any

from moto.core.responses import ActionResult
from moto.eks import models
from moto.eks.responses import EKSResponse
from moto.eks.urls import url_bases as moto_bases
from moto.eks.urls import url_paths as moto_paths

from groundplan_sandbox.aws.eks.node_groups import NodeGroupCorrections
from groundplan_sandbox.aws.site import Site


def install(site: Site) -> None:
    """Make every EKS region of this process one of `site`."""
    models.eks_backends.backend = type("SandboxEKS", (_Region,), {"site": site})


class _Answers(EKSResponse):  # type: ignore[misc]  # moto's classes are untyped to us
    def update_cluster_version(self) -> Any:
        return self._update(
            self.eks_backend.update_cluster_version(self._get_param("name"), self._get_param("version"))
        )

    def update_cluster_config(self) -> Any:
        """AWS answers with the update, moto with the cluster."""
        names = {
            "logging": "logging",
            "client_request_token": "clientRequestToken",
            "kubernetes_network_config": "kubernetesNetworkConfig",
            "remote_network_config": "remoteNetworkConfig",
        }
        given = {ours: self._get_param(theirs) for ours, theirs in names.items()}
        backend, name = self.eks_backend, self._get_param("name")
        return self._update(backend.update_cluster_config(name, self._get_param("resourcesVpcConfig"), **given))

    def describe_update(self) -> Any:
        return self._update(self.eks_backend.describe_update(self._get_param("name"), self._get_param("updateId")))

    def list_updates(self) -> Any:
        updates = list(self.eks_backend.describe_cluster(self._get_param("name")).updates)
        return ActionResult({"updateIds": updates})

    def _update(self, update: dict[str, Any]) -> Any:
        return ActionResult({"update": update})


class _Urls:
    """What moto reads of the module that names a backend's URLs."""

    url_bases = moto_bases
    url_paths = dict.fromkeys(
        [
            *moto_paths,
            "{0}/clusters/(?P<name>[^/]+)/updates$",
            "{0}/clusters/(?P<name>[^/]+)/updates/(?P<updateId>[^/]+)$",
        ],
        _Answers().dispatch,
    )


class _Region(NodeGroupCorrections):
    """EKS of one region."""

    @property
    def _url_module(self) -> Any:
        """moto finds a backend's URLs by the name of its module, which a subclass elsewhere would hide."""
        return _Urls
