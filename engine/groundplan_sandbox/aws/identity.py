"""Cognito's identity pools keep the roles that they are given; moto has no call for them."""

import json
from typing import Any

from moto.cognitoidentity.exceptions import ResourceNotFoundError
from moto.cognitoidentity.responses import CognitoIdentityResponse

from groundplan_sandbox.aws.site import Site

_KEPT = ("Roles", "RoleMappings")


def install(site: Site) -> None:
    """Give every identity pool of this process its two calls."""
    CognitoIdentityResponse.get_identity_pool_roles = _get
    CognitoIdentityResponse.set_identity_pool_roles = _set


def _get(self: Any) -> str:
    pool = _pool(self)
    return json.dumps({"IdentityPoolId": self._get_param("IdentityPoolId"), **getattr(pool, "sandbox_roles", {})})


def _set(self: Any) -> str:
    """All roles at once, as AWS does; those that the call leaves out are gone."""
    _pool(self).sandbox_roles = {name: self._get_param(name) for name in _KEPT if self._get_param(name) is not None}
    return "{}"


def _pool(self: Any) -> Any:
    identifier = self._get_param("IdentityPoolId")
    pool = self.backend.identity_pools.get(identifier)
    if pool is None:
        raise ResourceNotFoundError(identifier)
    return pool
