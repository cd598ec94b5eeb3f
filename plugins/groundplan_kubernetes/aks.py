"""The token by which Azure AKS knows a service principal: what `kubelogin get-token --login spn` prints.

It is asked of Microsoft Entra ID by the client credentials grant (RFC 6749, 4.4) for the AKS server application. Other
ways to log in (device code, a person's browser, a managed identity) need somebody or something that is not here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan_kubernetes.client import post_form

PUBLIC_AUTHORITY: Final = "https://login.microsoftonline.com"
_REUSED_SECONDS: Final = 600.0


@dataclass(frozen=True, kw_only=True)
class ServicePrincipal:
    """Who logs in, and to what.

    Attributes:
        server_id: the application id of the AKS server, the same for all of Azure unless a cluster has its own.
        authority: URL of the directory service; `authority_pem` verifies it when it is not a public one.
        direct: reach it without a proxy.
    """

    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    server_id: str
    authority: str = PUBLIC_AUTHORITY
    authority_pem: str = ""
    direct: bool = False


class AksCredential:
    """The header with a token of the directory; asked for at first use, and again after ten minutes."""

    def __init__(
        self, principal: ServicePrincipal, *, clock: Callable[[], float], learnt: Callable[[str], None]
    ) -> None:
        """Args: clock: seconds, never going back. learnt: told each new token, to have it masked."""
        self._principal, self._clock, self._learnt = principal, clock, learnt
        self._made: tuple[float, str] | None = None

    def header(self) -> str:
        if self._made is None or self._clock() - self._made[0] > _REUSED_SECONDS:
            self._made = self._clock(), ask_token(self._principal)
            self._learnt(self._made[1])
        return f"Bearer {self._made[1]}"


def ask_token(principal: ServicePrincipal) -> str:
    """Ask the directory for a token.

    Raises:
        NonRecoverableError: it knows no such principal, or the secret is wrong; the message has its error code.
        RecoverableError: it does not answer, or is busy.
    """
    url = f"{principal.authority.rstrip('/')}/{quote(principal.tenant_id, safe='')}/oauth2/v2.0/token"
    form = {
        "grant_type": "client_credentials",
        "client_id": principal.client_id,
        "client_secret": principal.client_secret,
        "scope": f"{principal.server_id}/.default",
    }
    status, answer = post_form(url, form, authority=principal.authority_pem, direct=principal.direct)
    token = answer.get("access_token")
    if status == 200 and isinstance(token, str) and token:
        return token
    message = f"The directory gives no token for client {principal.client_id}: {status} {answer.get('error', '')}"
    raise NonRecoverableError(message) if 400 <= status < 500 and status != 429 else RecoverableError(message)
