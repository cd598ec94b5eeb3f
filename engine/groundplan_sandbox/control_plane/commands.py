"""How the programs of a control plane are called: pure functions from a plan to command lines and files.

Everything listens on loopback with certificates of the cluster's own authority; command lines name files, never what
is secret in them. `processes` runs the commands.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundplan_sandbox.control_plane.programs import ControlPlanePrograms
from groundplan_sandbox.kubernetes.certificates import KeyPair

SERVICE_RANGE = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"
"""That of the service `kubernetes`, the first of the range."""

_OPEN_PATHS = ("/livez", "/readyz", "/healthz", "/version")
"""What strangers may ask, as on EKS; everything else is 401 without a credential."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where everything of one control plane is.

    Attributes:
        folder: the cluster's own.
        address, port: where the API answers.
        etcd_port, peer_port: etcd's two, on 127.0.0.1.
        node_address: what load balancers give out, and nodes without an address of their own.
        authority: path of the CA's certificate. server, client: the server's pair and the administrator's.
        accounts: the pair that signs and checks tokens of service accounts; `certificate` is the public key.
    """

    folder: Path
    address: str
    port: int
    etcd_port: int
    peer_port: int
    node_address: str
    authority: Path
    server: KeyPair
    client: KeyPair
    accounts: KeyPair

    @property
    def url(self) -> str:
        return f"https://{self.address}:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "components.json"

    @property
    def token_webhook(self) -> Path:
        return self.folder / "tokens-webhook.json"

    @property
    def authentication(self) -> Path:
        return self.folder / "authentication.json"

    @property
    def stages(self) -> Path:
        return self.folder / "kwok.json"


def files(plan: Plan, webhook_url: str) -> Mapping[Path, str]:
    """What the programs read besides keys, by path. webhook_url: who knows tokens that Kubernetes did not make."""
    conditions = [{"path": path} for path in _OPEN_PATHS]
    authentication = {
        "apiVersion": "apiserver.config.k8s.io/v1beta1",
        "kind": "AuthenticationConfiguration",
        "anonymous": {"enabled": True, "conditions": conditions},
    }
    return {
        plan.kubeconfig: json.dumps(_kubeconfig(plan, plan.url)),
        plan.token_webhook: json.dumps(_kubeconfig(plan, webhook_url)),
        plan.authentication: json.dumps(authentication),
        plan.stages: json.dumps(_load_balancers(plan.node_address)),
    }


def etcd(programs: ControlPlanePrograms, plan: Plan) -> list[str]:
    """Its data outlive it in the cluster's folder; they are not forced to the disk."""
    client, peer = (f"https://127.0.0.1:{port}" for port in (plan.etcd_port, plan.peer_port))
    pair = [(f"--{side}cert-file", plan.server.certificate) for side in ("", "peer-")]
    pair += [(f"--{side}key-file", plan.server.key) for side in ("", "peer-")]
    pair += [(f"--{side}trusted-ca-file", plan.authority) for side in ("", "peer-")]
    return [
        programs.path("etcd"),
        f"--data-dir={plan.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        *(f"{option}={path}" for option, path in pair),
        "--client-cert-auth",
        "--peer-client-cert-auth",
        "--enable-grpc-gateway=false",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def api_server(programs: ControlPlanePrograms, plan: Plan) -> list[str]:
    """kube-apiserver with RBAC enforced; who asks is told by certificate, by its own tokens or by the webhook."""
    return [
        programs.path("kube-apiserver"),
        f"--etcd-servers=https://127.0.0.1:{plan.etcd_port}",
        f"--etcd-cafile={plan.authority}",
        f"--etcd-certfile={plan.client.certificate}",
        f"--etcd-keyfile={plan.client.key}",
        f"--bind-address={plan.address}",
        f"--secure-port={plan.port}",
        f"--tls-cert-file={plan.server.certificate}",
        f"--tls-private-key-file={plan.server.key}",
        f"--client-ca-file={plan.authority}",
        f"--authentication-config={plan.authentication}",
        f"--authentication-token-webhook-config-file={plan.token_webhook}",
        "--authentication-token-webhook-version=v1",
        # A token that is taken back, or grows old, must not be honoured for long after.
        "--authentication-token-webhook-cache-ttl=2s",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={plan.accounts.certificate}",
        f"--service-account-signing-key-file={plan.accounts.key}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        # Endpoints may not be loopback addresses, and no pod is there to use them.
        "--endpoint-reconciler-type=none",
        f"--advertise-address={SERVICE_ADDRESS}",
        "--allow-privileged",
        # Watches that begin with what is there: clients ask for them, and this version has them switched off.
        "--feature-gates=WatchList=true",
        "--enable-priority-and-fairness=false",
        "--profiling=false",
    ]


def controller_manager(programs: ControlPlanePrograms, plan: Plan) -> list[str]:
    """kube-controller-manager; claims are bound to empty folders below /tmp/hostpath_pv."""
    return [
        programs.path("kube-controller-manager"),
        f"--kubeconfig={plan.kubeconfig}",
        f"--root-ca-file={plan.authority}",
        f"--service-account-private-key-file={plan.accounts.key}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--enable-hostpath-provisioner",
        # kwok's heartbeats come late on a busy machine; nodes go when the sandbox says so.
        "--node-monitor-grace-period=10m",
        "--leader-elect=false",
        "--secure-port=0",
        "--profiling=false",
    ]


def scheduler(programs: ControlPlanePrograms, plan: Plan) -> list[str]:
    return [
        programs.path("kube-scheduler"),
        f"--kubeconfig={plan.kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        "--profiling=false",
    ]


def kwok(programs: ControlPlanePrograms, plan: Plan) -> list[str]:
    """kwok, which says of every pod on every node that it runs, and of every job's that it is done."""
    return [
        programs.path("kwok"),
        f"--kubeconfig={plan.kubeconfig}",
        f"--config={plan.stages}",
        "--manage-all-nodes",
        "--node-port=0",
        f"--node-ip={plan.node_address}",
        "--cidr=10.244.0.0/16",
    ]


def _kubeconfig(plan: Plan, server: str) -> dict[str, Any]:
    cluster = {"server": server, "certificate-authority": str(plan.authority)}
    user = {"client-certificate": str(plan.client.certificate), "client-key": str(plan.client.key)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "sandbox", "cluster": cluster}],
        "users": [{"name": "sandbox", "user": user}],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox"}}],
        "current-context": "sandbox",
    }


def _load_balancers(address: str) -> dict[str, Any]:
    """kwok's rule by which a service of type LoadBalancer has an address, as a cloud's controller would give it."""
    matches = [
        {"key": ".spec.type", "operator": "In", "values": ["LoadBalancer"]},
        {"key": ".status.loadBalancer.ingress", "operator": "DoesNotExist"},
    ]
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": "load-balancer"},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Service"},
            "selector": {"matchExpressions": matches},
            "next": {"statusTemplate": f"loadBalancer:\n  ingress:\n  - ip: {address}\n"},
        },
    }
