"""The commands that a kubeconfig would have run for a token (`exec`), and the credential that stands for each.

No program is run: `aws eks get-token`, `aws-iam-authenticator token` and `kubelogin get-token --login spn` are computed
by `eks` and `aks`, with what the node's `client_config.authentication` or the kubeconfig's own `env` says. Every other
command is refused, by name. The environment of the engine is asked for AWS keys only in a home that is not sandboxed.
"""

import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Final

from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan_kubernetes.access import Credential
from groundplan_kubernetes.addresses import is_inside
from groundplan_kubernetes.aks import PUBLIC_AUTHORITY, AksCredential, ServicePrincipal
from groundplan_kubernetes.eks import EksCluster, EksCredential
from groundplan_kubernetes.presigning import AwsKeys

Settings = Mapping[str, str]
_SHORT: Final = {"-i": "--cluster-id", "-r": "--role", "-l": "--login"}
_SWITCHES: Final = frozenset({"--cache"})
"""Options without a value."""
_AWS_FLAGS: Final = frozenset({"--cluster-name", "--region", "--output"})
_IAM_FLAGS: Final = frozenset({"--cluster-id", "--region", "--output", "--cache"})
_KUBELOGIN_FLAGS: Final = frozenset(
    {"--login", "--server-id", "--client-id", "--client-secret", "--tenant-id", "--environment"}
)


def credential_of(ctx: OperationContext, command: Mapping[str, Any], authentication: Mapping[str, Any]) -> Credential:
    """Return the credential that a kubeconfig's `exec` section stands for.

    Raises:
        NonRecoverableError: another program, options that change who is asking, or credentials that are missing.
    """
    program = PurePosixPath(str(command.get("command") or "")).name
    words, flags = _parse([str(word) for word in command.get("args") or ()])
    known = {**_environment(ctx), **_entries(command), **_authentication(authentication)}
    if program == "aws" and words == ["eks", "get-token"]:
        _allow(program, flags, _AWS_FLAGS)
        return _eks(ctx, flags.get("--cluster-name", ""), flags.get("--region", ""), known)
    if program == "aws-iam-authenticator" and words == ["token"]:
        _allow(program, flags, _IAM_FLAGS)
        return _eks(ctx, flags.get("--cluster-id", ""), flags.get("--region", ""), known)
    if program == "kubelogin" and words == ["get-token"]:
        _allow(program, flags, _KUBELOGIN_FLAGS)
        return _aks(ctx, flags, known)
    raise NonRecoverableError(
        f"The kubeconfig wants {program!r} to be run for its token, which is not done; "
        "give one with a token or a client certificate in it."
    )


def _entries(command: Mapping[str, Any]) -> Settings:
    return {str(entry["name"]): str(entry.get("value") or "") for entry in command.get("env") or ()}


def _authentication(authentication: Mapping[str, Any]) -> Settings:
    """Return `authentication` under the names of the environment, which is how the commands know them."""
    found = {str(key).upper(): str(value) for key, value in authentication.items() if value}
    if region := found.get("REGION") or found.get("REGION_NAME") or found.get("AWS_REGION_NAME"):
        found["AWS_REGION"] = region
    return found


def _environment(ctx: OperationContext) -> Settings:
    if ctx.plugin.sandboxed:
        return {}
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION")
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def _allow(program: str, flags: Settings, allowed: frozenset[str]) -> None:
    for flag in flags:
        if flag not in allowed:
            raise NonRecoverableError(f"The kubeconfig's {program} has the option {flag}, which is not supported.")


def _parse(args: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the words of a command line, and its options with their values: `--a b`, `--a=b`, `--a` alone is empty."""
    words: list[str] = []
    flags: dict[str, str] = {}
    rest = deque(args)
    while rest:
        word = rest.popleft()
        if not word.startswith("-"):
            words.append(word)
            continue
        flag, equals, value = word.partition("=")
        if not equals and flag not in _SWITCHES and rest and not rest[0].startswith("-"):
            value = rest.popleft()
        flags[_SHORT.get(flag, flag)] = value
    return words, flags


def _eks(ctx: OperationContext, name: str, region: str, known: Settings) -> Credential:
    region = region or known.get("AWS_REGION") or known.get("AWS_DEFAULT_REGION") or ""
    needed = {
        "the cluster's name": name,
        "a region": region,
        "aws_access_key_id": known.get("AWS_ACCESS_KEY_ID", ""),
        "aws_secret_access_key": known.get("AWS_SECRET_ACCESS_KEY", ""),
    }
    if known.get("AWS_PROFILE") and not known.get("AWS_ACCESS_KEY_ID"):
        raise NonRecoverableError(
            f"The kubeconfig names the AWS profile {known['AWS_PROFILE']}; profiles are not read. Give the keys in "
            "client_config.authentication."
        )
    _require("EKS", needed)
    keys = AwsKeys(
        access_key_id=known["AWS_ACCESS_KEY_ID"],
        secret_access_key=known["AWS_SECRET_ACCESS_KEY"],
        session_token=known.get("AWS_SESSION_TOKEN", ""),
    )
    for secret in (keys.secret_access_key, keys.session_token):
        if secret:
            ctx.mask(secret)
    cluster = EksCluster(name=name, region=region)
    return EksCredential(cluster, keys, now=lambda: datetime.now(UTC), learnt=ctx.mask)


def _aks(ctx: OperationContext, flags: Mapping[str, str], known: Settings) -> Credential:
    way = flags.get("--login") or known.get("AAD_LOGIN_METHOD") or "devicecode"
    if way != "spn":
        raise NonRecoverableError(f"kubelogin would log in by {way}; only a service principal (spn) can be used here.")
    secret = flags.get("--client-secret") or _first(
        known, "AZURE_CLIENT_SECRET", "CLIENT_SECRET", "AAD_SERVICE_PRINCIPAL_CLIENT_SECRET"
    )
    client = flags.get("--client-id") or _first(
        known, "AZURE_CLIENT_ID", "CLIENT_ID", "AAD_SERVICE_PRINCIPAL_CLIENT_ID"
    )
    tenant = flags.get("--tenant-id") or _first(known, "AZURE_TENANT_ID", "TENANT_ID")
    server = flags.get("--server-id", "")
    needed = {"--server-id": server, "azure_tenant_id": tenant, "azure_client_id": client}
    _require("AKS", {**needed, "azure_client_secret": secret})
    ctx.mask(secret)
    authority = str(ctx.plugin.settings.get("authority_url") or known.get("AZURE_AUTHORITY_HOST") or PUBLIC_AUTHORITY)
    if ctx.plugin.sandboxed and not is_inside(authority):
        raise NonRecoverableError(f"{authority} is outside the sandbox that this home is bound to.")
    principal = ServicePrincipal(
        tenant_id=tenant,
        client_id=client,
        client_secret=secret,
        server_id=server,
        authority=authority,
        authority_pem=str(ctx.plugin.settings.get("authority_ca") or ""),
        direct=ctx.plugin.sandboxed,
    )
    return AksCredential(principal, clock=time.monotonic, learnt=ctx.mask)


def _first(known: Settings, *names: str) -> str:
    return next((known[name] for name in names if known.get(name)), "")


def _require(where: str, needed: Mapping[str, str]) -> None:
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise NonRecoverableError(
            f"A token for {where} needs {', '.join(missing)}: give it in client_config.authentication or in the env of "
            "the kubeconfig's exec."
        )
