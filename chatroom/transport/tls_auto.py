"""A certificate of one's own making, for a room without a name that an authority would sign."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chatroom.errors import ChatroomError
from chatroom.settings import IN_MEMORY, TlsSettings

#: Clients know this certificate by its fingerprint, and not by its date.
_VALID_DAYS = 3650


def own_certificate(journal: str) -> TlsSettings:
    """The certificate and key beside the journal (`room.db`: `room.pem`; in the working directory
    without one), made the first time, for their owner alone.

    Raises `ChatroomError` if they can't be made.
    """
    path = Path("chatroom.pem") if journal == IN_MEMORY else Path(journal).with_suffix(".pem")
    try:
        if not os.path.lexists(path):
            _write(path, _make())
        status = path.lstat()
    except OSError as error:
        raise ChatroomError(f"cannot make a certificate in {path}: {error.strerror}") from error
    # Where others may write, they could have put a key there that they know.
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        raise ChatroomError(f"{path} is no file of this server's user; see --tls-cert")
    return TlsSettings(certificate=str(path), key=str(path))


def _write(path: Path, pem: bytes) -> None:
    """Whole or not at all; of two servers that start at once, one is the first."""
    made = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(pem)
        with contextlib.suppress(FileExistsError):
            os.link(made, path)
    finally:
        os.unlink(made)


def _make() -> bytes:
    """A P-256 key and a certificate for this host's name and loopback, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    host = socket.gethostname()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host[:64] or "chatroom")])
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    if host.isascii() and host not in ("", "localhost"):
        names.append(x509.DNSName(host))
    names += [x509.IPAddress(ip_address(address)) for address in ("127.0.0.1", "::1")]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # of clients whose clock is slow
        .not_valid_after(now + timedelta(days=_VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)
