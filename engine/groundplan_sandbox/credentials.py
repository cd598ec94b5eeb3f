"""The emulated account's credentials: made once per home, kept over `down`, shown by `groundplan sandbox secrets`.

They open nothing outside this machine's sandbox, and are still kept as secrets are: mode 0600, never logged.
"""

import secrets
import string
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from groundplan_sandbox.home import Home, write_whole

_KEY_ALPHABET = string.ascii_uppercase + "234567"
_SECRET_ALPHABET = string.ascii_letters + string.digits + "+/"


class UnreadableCredentialsError(Exception):
    """The credentials file is not what this module wrote."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is damaged; delete it, and new credentials are made")


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What an account gives its user. Keys: OpenSSH one-line public key, PEM private key (RSA 2048, as EC2 makes)."""

    access_key_id: str
    secret_access_key: str
    keypair_name: str
    public_key: str
    private_key: str

    def __repr__(self) -> str:
        return f"Credentials(access_key_id={self.access_key_id!r})"

    def as_secrets(self) -> dict[str, str]:
        """By the names that blueprints ask for, in the shape `groundplan secrets import` reads."""
        return {
            "aws_access_key_id": self.access_key_id,
            "aws_secret_access_key": self.secret_access_key,
            "aws_keypair": self.keypair_name,
            "public_key_content": self.public_key,
            "private_key_content": self.private_key,
        }


def load_or_create(home: Home) -> Credentials:
    """The credentials of `home`; made and kept at the first call. Raises UnreadableCredentialsError, OSError."""
    try:
        return msgspec.json.decode(home.credentials.read_bytes(), type=Credentials)
    except FileNotFoundError:
        pass
    except msgspec.MsgspecError as error:
        raise UnreadableCredentialsError(home.credentials) from error
    home.prepare()
    made = _create()
    write_whole(home.credentials, msgspec.json.encode(made))
    return made


def _create() -> Credentials:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return Credentials(
        access_key_id="AKIA" + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(16)),
        secret_access_key="".join(secrets.choice(_SECRET_ALPHABET) for _ in range(40)),
        keypair_name="groundplan-sandbox",
        public_key=f"{public.decode()} groundplan-sandbox",
        private_key=private.decode(),
    )
