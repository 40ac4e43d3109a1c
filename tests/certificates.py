"""Certificates for tests: an authority, one that it has signed to sign, and servers'."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from chatroom.settings import TlsSettings


@dataclass(frozen=True)
class Signed:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self, password: bytes | None = None) -> bytes:
        how: KeySerializationEncryption = NoEncryption()
        if password is not None:
            how = BestAvailableEncryption(password)
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


def make_certificate(
    name: str,
    issuer: Signed | None = None,
    *,
    signs: bool = False,
    days: tuple[int, int] = (-1, 1),
) -> Signed:
    """For `name` and 127.0.0.1; signed by itself without an issuer. Valid from and until so many
    `days` from now.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = [x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=signs, path_length=None), critical=True)
    )
    return Signed(builder.sign(key if issuer is None else issuer.key, SHA256()), key)


def write_pair(directory: Path, signed: Signed, *chain: Signed) -> TlsSettings:
    """The two files that a server is given; `chain` follows its certificate."""
    certificate, key = directory / "cert.pem", directory / "key.pem"
    certificate.write_bytes(b"".join(one.pem for one in (signed, *chain)))
    key.touch(0o600)
    key.write_bytes(signed.key_pem())
    return TlsSettings(certificate=str(certificate), key=str(key))


def trusting_anybody() -> ssl.SSLContext:
    """For a client that does not look at the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def showing(directory: Path, signed: Signed) -> ssl.SSLContext:
    """For a client that does not look at the server's certificate, and shows this one of its own if
    it is asked.
    """
    path = directory / f"{signed.certificate.serial_number}.pem"
    path.write_bytes(signed.key_pem() + signed.pem)
    context = trusting_anybody()
    context.load_cert_chain(path)
    return context
