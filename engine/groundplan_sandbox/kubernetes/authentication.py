"""Who is asking: a client certificate's subject, or a bearer token that this cluster gave out.

It does not say what a user may do: RBAC objects are recorded, not enforced, and every known user may do everything.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from groundplan_sandbox.kubernetes.kinds import Object
from groundplan_sandbox.kubernetes.status import unauthorized


@dataclass(frozen=True, kw_only=True)
class User:
    name: str
    groups: tuple[str, ...]

    def to_json(self) -> Object:
        return {"username": self.name, "groups": [*self.groups, "system:authenticated"]}


def service_account_user(namespace: str, name: str) -> User:
    """The user that a ServiceAccount's tokens stand for."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return User(name=f"system:serviceaccount:{namespace}:{name}", groups=groups)


Webhook = Callable[[str], "User | None"]
"""Who stands behind a token of somebody else's making; None when nobody does."""


@dataclass(frozen=True, kw_only=True)
class _Grant:
    """expires: seconds since the epoch, or None for never."""

    name: str
    groups: tuple[str, ...]
    expires: float | None


class Tokens:
    """Bearer tokens by their SHA-256: the file in the cluster's folder holds no token that could be used."""

    def __init__(self, path: Path, webhook: Webhook | None = None) -> None:
        """webhook: asked about tokens that this cluster did not give out."""
        self._path = path
        self._webhook = webhook
        self._grants: dict[str, _Grant] = {}
        if path.exists():
            for digest, grant in json.loads(path.read_text(encoding="utf-8")).items():
                self._grants[digest] = _Grant(**grant | {"groups": tuple(grant["groups"])})

    def issue(self, user: str, groups: Sequence[str], *, seconds: float | None = None) -> str:
        """A new token for a user, for ever or for so many seconds."""
        token = secrets.token_urlsafe(32)
        expires = None if seconds is None else time.time() + seconds
        self._grants[_digest(token)] = _Grant(name=user, groups=tuple(groups), expires=expires)
        self._save()
        return token

    def revoke(self, user: str) -> None:
        """Forget every token of a user."""
        left = {digest: grant for digest, grant in self._grants.items() if grant.name != user}
        if len(left) != len(self._grants):
            self._grants = left
            self._save()

    def user(self, token: str) -> User | None:
        grant = self._grants.get(_digest(token))
        if grant is None and self._webhook is not None:
            return self._webhook(token)
        if grant is None or (grant.expires is not None and grant.expires < time.time()):
            return None
        return User(name=grant.name, groups=grant.groups)

    def _save(self) -> None:
        self._path.touch(mode=0o600)
        saved = {digest: asdict(grant) for digest, grant in self._grants.items()}
        self._path.write_text(json.dumps(saved), encoding="utf-8")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def authenticate(tokens: Tokens, authorization: str, certificate: dict[str, Any] | None) -> User:
    """The user of a request. Raises ApiError 401 for nobody and for a wrong token.

    certificate: as `ssl.SSLSocket.getpeercert` gives it, already verified against the cluster's authority.
    """
    if certificate:
        return _from_subject(certificate)
    scheme, _, token = authorization.partition(" ")
    user = tokens.user(token.strip()) if scheme.lower() == "bearer" else None
    if user is None:
        raise unauthorized()
    return user


def _from_subject(certificate: dict[str, Any]) -> User:
    parts = [pair for part in certificate["subject"] for pair in part]
    name = next(value for key, value in parts if key == "commonName")
    return User(name=name, groups=tuple(value for key, value in parts if key == "organizationName"))
