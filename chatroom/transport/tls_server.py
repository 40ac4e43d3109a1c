"""The server's certificate and key, and what clients may show: loaded, tried, and loaded anew while
the room goes on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import ssl
from collections.abc import Sequence

from chatroom.errors import ChatroomError
from chatroom.settings import TlsSettings
from chatroom.transport.tls_clients import ask_for, may_be_asked
from chatroom.transport.tls_fingerprint import fingerprint_of

log = logging.getLogger("chatroom.server")

#: For TLS 1.2; those of 1.3 are all good. With forward secrecy and an AEAD: nothing else has been
#: needed by any client of the last ten years.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class ServerTls:
    """What a server shakes hands with. Newcomers get the newest; who is inside keeps its own."""

    def __init__(self, settings: TlsSettings, certificates: Sequence[bytes] = ()) -> None:
        """`certificates`: those of clients (DER), by which one logs in. Raises `ChatroomError` if
        the files are no certificate and key that fit. The log says if everybody on this machine can
        read the key.
        """
        self._settings = settings
        self.reload(certificates)
        if os.stat(settings.key).st_mode & 0o007:
            log.warning("everybody on this machine can read the key in %s", settings.key)

    def reload(self, certificates: Sequence[bytes] = ()) -> None:
        """Read the files again, and take these certificates of clients. Raises `ChatroomError` with
        the reason if the files are no good: then everything stays as it was.
        """
        # Always new contexts: a live one would take a certificate without its key, and not say so;
        # and it would never forget a client's.
        context, fingerprint = _load(self._settings)
        asking = _load(self._settings, certificates)[0] if certificates else None
        self.context, self.fingerprint = context, fingerprint
        #: For who may be asked for a certificate; None: there is nothing to ask for.
        self.asking = asking
        self._known = frozenset(map(fingerprint_of, certificates))

    def wrap(self, sock: socket.socket, hello: bytes = b"") -> ssl.SSLSocket:
        """`sock` under TLS, without a handshake so far; it does not block, and takes the place of
        `sock`, which is detached. `hello`: the record with which its client begins, to see whether
        it may be asked for a certificate; without it is not. Raises OSError if the peer has gone
        already; all is closed then.
        """
        sock.setblocking(False)
        asking = self.asking if hello and may_be_asked(hello) else None
        context = asking or self.context
        return context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)

    def shown_by(self, sock: ssl.SSLSocket) -> str:
        """The fingerprint of the certificate that a client has shown in its handshake, if it is one
        by which one logs in; else it is empty.
        """
        certificate = sock.getpeercert(binary_form=True)
        # OpenSSL also takes one that a known one has signed: that is nobody's.
        shown = "" if certificate is None else fingerprint_of(certificate)
        return shown if shown in self._known else ""


def _load(settings: TlsSettings, certificates: Sequence[bytes] = ()) -> tuple[ssl.SSLContext, str]:
    """A context that works, and the fingerprint of its certificate; with `certificates` it asks for
    one of them.
    """
    try:
        context = _context(settings)
        if certificates:
            ask_for(context, certificates)
        return context, _try(context)
    except (OSError, ValueError) as error:  # the latter of a path with a NUL
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        files = f"{settings.certificate} and {settings.key}"
        raise ChatroomError(f"no TLS with {files}: {reason}") from error


def _context(settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    # A client could have its server sign all day, on one connection.
    context.options |= ssl.OP_NO_RENEGOTIATION
    # The end of the stream without a goodbye is an end like any other, as half of all clients never
    # say one. Else OpenSSL gives the connection up, and the last lines with it: also when the
    # thread mode shuts the reading side down to wake a thread.
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
    context.load_cert_chain(settings.certificate, settings.key, password=_refuse_password)
    return context


def _refuse_password() -> str:
    # OpenSSL would ask for it on the terminal, and the server stand still.
    raise OSError("the key is encrypted; it has to be readable without a password")


def _try(context: ssl.SSLContext) -> str:
    """Shake hands with oneself, in memory. Returns the fingerprint of what a client sees."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    client = anybody.wrap_bio(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    certificate = client.getpeercert(binary_form=True)
    if certificate is None:
        raise OSError("there is no certificate")
    return fingerprint_of(certificate)
