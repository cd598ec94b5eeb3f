"""The controllers: what a cluster does by itself after an object was written.

`queue` runs them; each other module is one controller or what several share. They write through `api` like every
client does. `all_controllers` is the list of them.
"""

from __future__ import annotations

from groundplan_sandbox.kubernetes.api import Api
from groundplan_sandbox.kubernetes.authentication import Tokens
from groundplan_sandbox.kubernetes.controllers.claims import ClaimController
from groundplan_sandbox.kubernetes.controllers.daemon_sets import DaemonSetController
from groundplan_sandbox.kubernetes.controllers.definitions import DefinitionController
from groundplan_sandbox.kubernetes.controllers.deployments import DeploymentController
from groundplan_sandbox.kubernetes.controllers.events import Recorder
from groundplan_sandbox.kubernetes.controllers.garbage import GarbageCollector
from groundplan_sandbox.kubernetes.controllers.jobs import JobController
from groundplan_sandbox.kubernetes.controllers.namespaces import NamespaceController
from groundplan_sandbox.kubernetes.controllers.pods import PodController
from groundplan_sandbox.kubernetes.controllers.queue import Controller
from groundplan_sandbox.kubernetes.controllers.replica_sets import ReplicaSetController
from groundplan_sandbox.kubernetes.controllers.services import EndpointsController, LoadBalancerController
from groundplan_sandbox.kubernetes.controllers.stateful_sets import StatefulSetController
from groundplan_sandbox.kubernetes.controllers.tokens import TokenController
from groundplan_sandbox.kubernetes.kinds import INGRESS, SERVICE


def all_controllers(api: Api, tokens: Tokens, address: str, authority: str) -> list[Controller]:
    """address: the server's, given to load balancers. authority: the cluster's CA certificate, PEM."""
    recorder = Recorder(api=api)
    return [
        NamespaceController(api, authority),
        TokenController(api, tokens, authority),
        GarbageCollector(api),
        DeploymentController(api, recorder),
        ReplicaSetController(api, recorder),
        StatefulSetController(api, recorder),
        DaemonSetController(api, recorder),
        JobController(api, recorder),
        DefinitionController(api),
        ClaimController(api, recorder),
        PodController(api, recorder, address),
        EndpointsController(api),
        LoadBalancerController(api, SERVICE, address),
        LoadBalancerController(api, INGRESS, address),
    ]


__all__ = ["all_controllers"]
