"""Tokens of ServiceAccounts kept in Secrets: filled in when such a Secret is made, worthless when the account goes.

Short-lived tokens are asked for by the `token` subresource instead (`subresources`).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

from groundplan_sandbox.kubernetes.api import Api, Options
from groundplan_sandbox.kubernetes.authentication import Tokens, service_account_user
from groundplan_sandbox.kubernetes.controllers.children import key_of
from groundplan_sandbox.kubernetes.controllers.queue import Key
from groundplan_sandbox.kubernetes.kinds import SECRET, SERVICE_ACCOUNT, Object
from groundplan_sandbox.kubernetes.store import Change, ChangeType, name_of, namespace_of

TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105 - the name of a type of Secret
_ACCOUNT = "kubernetes.io/service-account.name"
_ACCOUNT_UID = "kubernetes.io/service-account.uid"
_OPTIONS = Options(manager="kube-controller-manager")


class TokenController:
    """authority: the cluster's CA certificate, PEM, which goes into each Secret beside the token."""

    def __init__(self, api: Api, tokens: Tokens, authority: str) -> None:
        self._api = api
        self._tokens = tokens
        self._authority = authority

    def affected(self, change: Change) -> Iterable[Key]:
        if change.kind is SECRET and change.object.get("type") == TOKEN_TYPE:
            yield key_of(change.object)
        elif change.kind is SERVICE_ACCOUNT:
            namespace, name = key_of(change.object)
            if change.type is ChangeType.DELETED:
                self._tokens.revoke(service_account_user(namespace, name).name)
            for secret in self._api.store.select(SECRET, namespace):
                if secret.get("type") == TOKEN_TYPE and _account_of(secret) == name:
                    yield key_of(secret)

    def reconcile(self, key: Key) -> float | None:
        secret = self._api.store.get(SECRET, *key)
        if secret is None:
            return None
        account = self._api.store.get(SERVICE_ACCOUNT, key[0], _account_of(secret))
        if account is None:
            self._api.delete(SECRET, *key, _OPTIONS)
        elif "token" not in (secret.get("data") or {}):
            self._fill(secret, account)
        return None

    def _fill(self, secret: Object, account: Object) -> None:
        namespace = namespace_of(account)
        user = service_account_user(namespace, name_of(account))
        token = self._tokens.issue(user.name, user.groups)
        values = {"token": token, "ca.crt": self._authority, "namespace": namespace}

        def edit(fresh: Object) -> None:
            fresh["metadata"].setdefault("annotations", {})[_ACCOUNT_UID] = account["metadata"]["uid"]
            encoded = {name: base64.b64encode(text.encode()).decode() for name, text in values.items()}
            fresh["data"] = (fresh.get("data") or {}) | encoded

        self._api.modify(SECRET, secret, edit, _OPTIONS)


def _account_of(secret: Object) -> str:
    return str((secret["metadata"].get("annotations") or {}).get(_ACCOUNT, ""))
