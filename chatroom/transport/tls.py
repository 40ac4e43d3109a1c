"""TLS as a transport: OpenSSL between an outbox and its socket, with the same contract."""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
from collections.abc import Sequence

#: What one TLS record carries at most (RFC 8446, section 5.1), and so what is offered to OpenSSL at
#: a time: it takes all of it or nothing, which is what can be told to an outbox.
RECORD_BYTES = 16384

#: OpenSSL can go on only when the socket can: nothing has failed. They are OSErrors of their own,
#: and no BlockingIOError.
_WANTS = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class TlsTransport:
    """See `chatroom.transport.contract.Transport`: a stream under TLS, whose socket never blocks.

    What OpenSSL could not write whole it has encrypted and wants to be offered again, byte for
    byte: a longer or another buffer would be accepted, and the old bytes sent in its place. These
    are `begun_bytes`; an outbox keeps them at its head.
    """

    __slots__ = ("begun_bytes", "sock")

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock = sock
        self.begun_bytes = 0

    def send(self, records: bytes) -> int:
        if len(records) > RECORD_BYTES or self.begun_bytes:
            return self.send_some((records,))
        try:
            return self.sock.send(records)
        except _WANTS:
            self.begun_bytes = len(records)
            raise BlockingIOError(errno.EAGAIN, "the socket takes no more") from None

    def send_some(self, buffers: Sequence[bytes | memoryview], *, wait: bool = True) -> int:
        view = _gather(buffers, self.begun_bytes or RECORD_BYTES)
        taken_bytes = 0
        while taken_bytes < len(view):
            record = view[taken_bytes : taken_bytes + (self.begun_bytes or RECORD_BYTES)]
            try:
                taken_bytes += self.sock.send(record)
            except _WANTS:
                self.begun_bytes = len(record)
                if taken_bytes:
                    break
                raise BlockingIOError(errno.EAGAIN, "the socket takes no more") from None
            self.begun_bytes = 0
        return taken_bytes

    def receive(self, limit_bytes: int) -> bytes:
        try:
            # One record, whole: OpenSSL reads no further ahead, and what it kept of a record would
            # wait inside it, where no poll of the descriptor sees it.
            return self.sock.recv(RECORD_BYTES)
        except _WANTS:
            raise BlockingIOError(errno.EAGAIN, "no whole record has come") from None

    def set_patience(self, seconds: float | None) -> None:
        """Nothing here blocks."""

    def let_last_in(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 1 << 20)

    def shut_write(self) -> None:
        if not self.begun_bytes:
            # Says goodbye; fails where hands were never shaken, and where it would have to wait for
            # the peer's own goodbye.
            with contextlib.suppress(OSError):
                self.sock.unwrap()
        # Not `SSLSocket.shutdown`, which forgets the encryption: what is sent after it is readable.
        socket.socket.shutdown(self.sock, socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()


def _gather(buffers: Sequence[bytes | memoryview], size_bytes: int) -> memoryview:
    """At least `size_bytes` of the buffers, if there are so many, without a copy of long ones."""
    if len(buffers[0]) >= size_bytes or len(buffers) == 1:
        return memoryview(buffers[0])
    gathered = bytearray()
    for buffer in buffers:
        gathered += buffer
        if len(gathered) >= size_bytes:
            break
    return memoryview(gathered)
