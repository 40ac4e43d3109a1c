"""TLS in the thread mode: one thread reads and one writes, and OpenSSL lets in one at a time."""

from __future__ import annotations

import errno
import select
import socket
import ssl
import threading
from collections.abc import Sequence
from time import monotonic

from chatroom.transport.threads import SEND_SECONDS
from chatroom.transport.tls import TlsTransport


class BlockingTlsTransport(TlsTransport):
    """As `TlsTransport`, but its calls block. The socket itself never does: a thread waits for it
    without the lock that keeps the two out of each other's SSL object.
    """

    __slots__ = ("_lock", "_patience_seconds")

    def __init__(self, sock: ssl.SSLSocket) -> None:
        super().__init__(sock)
        self._lock = threading.Lock()
        self._patience_seconds: float | None = None

    def set_patience(self, seconds: float | None) -> None:
        self._patience_seconds = seconds

    def send_some(self, buffers: Sequence[bytes | memoryview], *, wait: bool = True) -> int:
        try:
            with self._lock:
                return super().send_some(buffers)
        except BlockingIOError:
            if not wait or not wait_for(self.sock, select.POLLOUT, SEND_SECONDS):
                raise
        with self._lock:
            return super().send_some(buffers)

    def receive(self, limit_bytes: int) -> bytes:
        patience = self._patience_seconds
        deadline = None if patience is None else monotonic() + patience
        while True:
            try:
                with self._lock:
                    return super().receive(limit_bytes)
            except BlockingIOError:
                left = None if deadline is None else deadline - monotonic()
                if not wait_for(self.sock, select.POLLIN, left):
                    raise

    def shut_write(self) -> None:
        with self._lock:
            super().shut_write()


def wait_for(sock: socket.socket, event: int, seconds: float | None) -> bool:
    """Block until the socket is ready for `event` (of `select.poll`), or has failed. False if it
    was not in `seconds`; None waits for ever. Raises OSError if it is closed already.
    """
    if sock.fileno() < 0:
        raise OSError(errno.EBADF, "the socket is closed")
    poll = select.poll()
    poll.register(sock, event)
    return bool(poll.poll(None if seconds is None else max(seconds, 0) * 1000))
