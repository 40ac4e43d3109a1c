"""Plain sockets as transports: TCP and Unix."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Sequence


class SocketTransport:
    """See `chatroom.transport.contract.Transport`: a stream socket as it is."""

    __slots__ = ("send", "sock")

    begun_bytes = 0

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.send: Callable[[bytes], int] = sock.send

    def send_some(self, buffers: Sequence[bytes | memoryview], *, wait: bool = True) -> int:
        return self.sock.sendmsg(buffers, (), 0 if wait else socket.MSG_DONTWAIT)

    def receive(self, limit_bytes: int) -> bytes:
        return self.sock.recv(limit_bytes)

    def set_patience(self, seconds: float | None) -> None:
        if seconds == 0:
            self.sock.setblocking(False)
        else:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval(seconds or 0))

    def let_last_in(self) -> None:
        with contextlib.suppress(OSError):  # it may have gone already
            if self.sock.family == socket.AF_UNIX:  # which has no bound on what is unsent alone
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            else:
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 1 << 20)

    def shut_write(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()


def timeval(seconds: float) -> bytes:
    """A `struct timeval`, as SO_RCVTIMEO and SO_SNDTIMEO take it; 0 is for ever."""
    return struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000))
