"""Which key a host must show: the pinned one, else the one that it showed at first contact.

Keys are compared as OpenSSH lines, `ssh-ed25519 AAAA...`. What is remembered belongs to the deployment and is forgotten
at the end of its uninstall.
"""

import base64
import binascii
import hashlib

from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan_ssh.target import Target


def expected(ctx: OperationContext, target: Target) -> str:
    """Return the key that the host must show, or an empty text at first contact."""
    return _bare(target.host_key) or ctx.remembered.get(_name(target), "")


def check(ctx: OperationContext, target: Target, shown: str) -> None:
    """Accept or refuse the key that a host shows; the first one is remembered.

    Raises:
        NonRecoverableError: it is another key than the one expected; both fingerprints are named.
    """
    wanted = expected(ctx, target)
    shown = _bare(shown)
    if not wanted:
        ctx.remembered[_name(target)] = shown
        ctx.logger.info(f"{target.host} shows the host key {fingerprint(shown)} for the first time: remembered")
    elif shown != wanted:
        source = "connect_kwargs.host_key says" if target.host_key else "it showed before"
        if ctx.plugin.sandboxed:
            source = "the sandbox gave it"
        raise NonRecoverableError(
            f"{target.host} shows the host key {fingerprint(shown)}, but {source} {fingerprint(wanted)}: "
            "another host answers at this address, or its key was changed"
        )


def fingerprint(key: str) -> str:
    """Return kind and SHA-256 fingerprint as ssh-keygen prints them.

    Raises:
        NonRecoverableError: the text is not a public key.
    """
    kind, _, blob = key.partition(" ")
    try:
        digest = hashlib.sha256(base64.b64decode(blob, validate=True)).digest()
    except binascii.Error as error:
        raise NonRecoverableError(f"{key!r} is not a public host key like 'ssh-ed25519 AAAA...'") from error
    return f"{kind} SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def _bare(key: str) -> str:
    """Return kind and key of a line, without its comment."""
    return " ".join(key.split()[:2])


def _name(target: Target) -> str:
    return f"ssh.host_key:{target.host}:{target.port}"
