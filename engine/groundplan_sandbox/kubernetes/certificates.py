"""The cluster's own certificate authority, and what it signs: the server's certificate and clients' certificates.

Keys are EC P-256 and live in the cluster's folder, readable by the owner alone. `authentication` reads who a client
certificate names.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = timedelta(days=365)
_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """Paths of a PEM certificate and its PEM private key."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority kept as ca.crt and ca.key in a folder, made there when absent."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._pair = KeyPair(certificate=folder / "ca.crt", key=folder / "ca.key")
        if not self._pair.key.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} CA")])
            builder = _builder(subject, subject, key.public_key(), _usage(signs=True))
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            _write(self._pair, builder.sign(key, hashes.SHA256()), key)
        self._certificate = x509.load_pem_x509_certificate(self._pair.certificate.read_bytes())
        loaded = serialization.load_pem_private_key(self._pair.key.read_bytes(), password=None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        self._key = loaded

    @property
    def certificate(self) -> Path:
        return self._pair.certificate

    def issue_server(self, names: Sequence[str]) -> KeyPair:
        """A certificate for host names and IP addresses, as `server.crt`; a new one each time."""
        alternatives = [_alternative(name) for name in dict.fromkeys(names)]
        return self._issue("server", names[0], (), ExtendedKeyUsageOID.SERVER_AUTH, alternatives)

    def issue_client(self, user: str, groups: Sequence[str]) -> KeyPair:
        """A certificate for a user (CN) in groups (O), kept as `USER.crt` and reused once made."""
        pair = self._place(user)
        if pair.key.exists():
            return pair
        return self._issue(user, user, groups, ExtendedKeyUsageOID.CLIENT_AUTH, [])

    def _place(self, stem: str) -> KeyPair:
        return KeyPair(certificate=self._folder / f"{stem}.crt", key=self._folder / f"{stem}.key")

    def _issue(
        self,
        stem: str,
        common_name: str,
        organizations: Sequence[str],
        purpose: x509.ObjectIdentifier,
        alternatives: list[x509.GeneralName],
    ) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
        subject = x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = _builder(subject, self._certificate.subject, key.public_key(), _usage(signs=False))
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        pair = self._place(stem)
        _write(pair, builder.sign(self._key, hashes.SHA256()), key)
        return pair


def signing_pair(folder: Path) -> KeyPair:
    """The keys that sign and check tokens of service accounts: `accounts.key` and, as `certificate`, `accounts.pub`.

    Kept over restarts, or every token that was given out would be worth nothing.
    """
    pair = KeyPair(certificate=folder / "accounts.pub", key=folder / "accounts.key")
    if not pair.certificate.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        pair.key.touch(mode=0o600)
        # Kubernetes reads an EC key in its own old form only.
        private = serialization.PrivateFormat.TraditionalOpenSSL
        pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
        public = serialization.PublicFormat.SubjectPublicKeyInfo
        pair.certificate.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, public))
    return pair


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, usage: x509.KeyUsage
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - _SKEW).not_valid_after(now + _LIFETIME)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    return builder.add_extension(usage, critical=True)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(pair: KeyPair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    pair.key.touch(mode=0o600)
    pair.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
