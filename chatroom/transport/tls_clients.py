"""Certificates of clients: which are taken, and from whom one is asked for.

They are keys that somebody has registered, as with SSH: who has signed them, and until when they
are valid, says nothing about that.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence

from chatroom.errors import ChatroomError
from chatroom.transport.client_hello import protocols_of

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

#: OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python has no name for. Without it a certificate that
#: has expired would end the handshake, and take every other way in from its owner, too.
_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)

#: Who may be asked. Browsers ask their user for a certificate then, whatever is in the page, and
#: HTTP's clients all offer HTTP's protocols; IRC's offer none, or their own (IANA's name for it).
_IRC = frozenset({b"irc"})


def read_certificate(path: str) -> bytes:
    """The first certificate in a PEM file, as DER. What else is there, as its key, is passed over.
    Blocks for the disk. Raises `ChatroomError`.
    """
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            found = _PEM.search(file.read())
        if found is None:
            raise ValueError("there is none in PEM")
        certificate = ssl.PEM_cert_to_DER_cert(found[0])
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=certificate)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise ChatroomError(f"{path} is no certificate: {reason}") from error
    return certificate


def may_be_asked(hello: bytes) -> bool:
    """Whether a client that begins with this record can be asked for a certificate without a person
    being bothered. Not if it can't be told.
    """
    offered = protocols_of(hello)
    return offered is not None and _IRC.issuperset(offered)


def ask_for(context: ssl.SSLContext, certificates: Sequence[bytes]) -> None:
    """Have a server's context ask for a certificate, and take these (DER) or none. Whoever shows
    another one cannot shake hands: OpenSSL refuses it, and Python has no say in that.
    """
    context.verify_mode = ssl.CERT_OPTIONAL
    # Each vouches for itself, whoever has signed it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    context.load_verify_locations(cadata=b"".join(certificates))
