"""What a Kubernetes client needs of an EKS cluster: a kubeconfig with a token, in runtime property `kubeconf`.

EKS takes a token for 15 minutes, so the kubeconfig also names the command that makes new ones (`aws eks get-token`),
which this project's Kubernetes plugin computes; and whatever looks the cluster up (`pull`, `poststart`) writes it anew.
"""

from collections.abc import Mapping
from typing import Any

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.operation import operation
from groundplan_aws.client import Account, account_of, connect, eks_token
from groundplan_aws.resource import first
from groundplan_aws.rows.compute import EKS_CLUSTER


@operation()
def refresh(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Write the kubeconfig of the relationship's target anew, if that is a cluster that keeps one."""
    end = ctx.target
    if end is None or not end.node.is_a(EKS_CLUSTER.node_type):
        return None
    name = end.instance.runtime_properties.get("aws_resource_id")
    if name and end.node.properties.get("store_kube_config_in_runtime"):
        account = account_of(ctx, end.node.properties.get("client_config") or {})
        answer = connect("eks", account).call("describe_cluster", name=name)
        end.instance.runtime_properties["kubeconf"] = kubeconfig(ctx, account, answer["cluster"])
    return None


def kubeconfig(ctx: OperationContext, account: Account, cluster: Mapping[str, Any]) -> dict[str, Any]:
    """Return a kubeconfig for a described cluster, with a token that is masked from now on."""
    token = eks_token(account, str(cluster["name"]))
    ctx.mask(token)
    authority = first(cluster, ("certificateAuthority", "data"))
    user: dict[str, Any] = {"token": token}
    if account.access_key_id and not account.assume_role:
        user["exec"] = _command(account, str(cluster["name"]))
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "kubernetes",
                "cluster": {"server": cluster["endpoint"], "certificate-authority-data": authority},
            }
        ],
        "users": [{"name": "aws", "user": user}],
        "contexts": [{"name": "aws", "context": {"cluster": "kubernetes", "user": "aws"}}],
        "current-context": "aws",
        "preferences": {},
    }


def _command(account: Account, cluster: str) -> dict[str, Any]:
    keys = {
        "AWS_ACCESS_KEY_ID": account.access_key_id,
        "AWS_SECRET_ACCESS_KEY": account.secret_access_key,
        "AWS_SESSION_TOKEN": account.session_token,
    }
    return {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "aws",
        "args": ["eks", "get-token", "--cluster-name", cluster, "--region", account.region],
        "env": [{"name": name, "value": value} for name, value in keys.items() if value],
        "interactiveMode": "Never",
    }
