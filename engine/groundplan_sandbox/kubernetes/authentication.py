"""Who is asking: a client certificate's subject, or a bearer token that this cluster gave out.

It does not say what a user may do: RBAC objects are recorded, not enforced, and every known user may do everything.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
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


class Tokens:
    """Bearer tokens by their SHA-256: the file in the cluster's folder holds no token that could be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._users: dict[str, User] = {}
        if path.exists():
            for digest, user in json.loads(path.read_text(encoding="utf-8")).items():
                self._users[digest] = User(name=user["name"], groups=tuple(user["groups"]))

    def issue(self, user: str, groups: Sequence[str]) -> str:
        token = secrets.token_urlsafe(32)
        self._users[_digest(token)] = User(name=user, groups=tuple(groups))
        self._path.touch(mode=0o600)
        saved = {digest: {"name": each.name, "groups": each.groups} for digest, each in self._users.items()}
        self._path.write_text(json.dumps(saved), encoding="utf-8")
        return token

    def user(self, token: str) -> User | None:
        return self._users.get(_digest(token))


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
