"""A bot on a stream socket, driven by the poller: no task of its own, and no waiting.

The one exception is a place in the listen queue of a Unix socket, see `TcpBot._connect`.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
from collections.abc import Callable
from time import monotonic_ns
from typing import Any

from chatroom.swarm.bots.bot import DEAF, Ear, ignore_reason
from chatroom.swarm.bots.poller import Poller

_BUFFER_BYTES = 256 * 1024  # the kernel's receive buffer is rarely fuller

#: How long to wait for a place in the listen queue of a Unix socket.
_UNIX_CONNECT_SECONDS = 5


class TcpBot:
    """One connection: it sends its greeting, hears, and can talk.

    Args:
        name: for the report.
        poller: what drives it.
        address: family, and address as `socket.connect` takes it.
        greeting: the first bytes to send.
    """

    is_greeted = True  #: is its greeting what is sent first?

    def __init__(
        self, name: str, poller: Poller, address: tuple[int, Any], greeting: bytes
    ) -> None:
        self.name = name
        self.entered = False
        self.gone = ""
        self.ear: Ear = DEAF
        self.on_gone: Callable[[str], None] = ignore_reason
        self._poller = poller
        self._family, self._address = address
        self._backlog = bytearray(greeting)  # what the kernel has not taken yet
        self._socket: socket.socket | None = None
        self._receive_into: Callable[[bytearray | memoryview], int] = _receive_nothing

    def start(self) -> None:
        """Begin to connect."""
        try:
            self._socket = socket.socket(
                self._family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
            )
            code = self._connect(self._socket)
        except OSError as error:
            self._leave(os.strerror(error.errno or 0))
            return
        if code not in (0, errno.EINPROGRESS):
            self._leave(os.strerror(code))
            return
        self._poller.watch(self._socket.fileno(), self._connected, select.EPOLLOUT)

    def _connect(self, sock: socket.socket) -> int:
        """Begin to connect; the error number."""
        if self._family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock.connect_ex(self._address)
        # It is connected at once, or the server's listen queue is full; no event tells when it is
        # not any more.
        patience = struct.pack("@ll", _UNIX_CONNECT_SECONDS, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
        sock.setblocking(True)
        code = sock.connect_ex(self._address)
        sock.setblocking(False)
        return code

    def say(self, request: bytes) -> None:
        """Send a request of the dialect, or keep what the kernel does not take until it does."""
        self._send(request)

    def _send(self, request: bytes) -> None:
        if self._socket is None:
            return
        if self._backlog:
            self._backlog += request
            return
        try:
            sent = self._socket.send(request)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._leave(os.strerror(error.errno or 0))
            return
        if sent < len(request):
            self._backlog += request[sent:]
            self._poller.change(
                self._socket.fileno(), self.read_now, select.EPOLLIN | select.EPOLLOUT
            )

    def leave(self, goodbye: bytes) -> None:
        self.ear, self.on_gone = DEAF, ignore_reason
        if self.entered and not self.gone and goodbye:
            self.say(goodbye)
        else:
            self._leave("left")

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            if self._socket.fileno() in self._poller:
                self._poller.forget(self._socket.fileno())
            self._socket.close()
            self._socket = None
            self._receive_into = _receive_nothing

    def _connected(self, _mask: int) -> None:
        assert self._socket is not None
        if code := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._leave(os.strerror(code))
            return
        self._poller.change(self._socket.fileno(), self.read_now)
        self._receive_into = self._socket.recv_into
        greeting, self._backlog = bytes(self._backlog), bytearray()
        self.entered = self.is_greeted
        if greeting:
            self._send(greeting)

    def read_now(self, mask: int) -> None:
        """Read what is there; `mask` is what epoll says."""
        if mask != select.EPOLLIN and not self._is_readable(mask):
            return
        try:
            count = self._receive_into(BUFFER)
        except BlockingIOError:
            return
        except OSError as error:
            self._leave(os.strerror(error.errno or 0))
            return
        if count:
            self.ear.hear(monotonic_ns() // 1000, VIEW[:count])
        else:
            self._leave("closed by the server")

    def _is_readable(self, mask: int) -> bool:
        """Is there something to be read, or an end? Sends what it can."""
        if mask & select.EPOLLOUT:
            self._flush()
        return bool(mask & ~select.EPOLLOUT)

    def _flush(self) -> None:
        assert self._socket is not None
        request, self._backlog = bytes(self._backlog), bytearray()
        self._poller.change(self._socket.fileno(), self.read_now)
        if request:
            self._send(request)

    def _leave(self, reason: str) -> None:
        self.close()
        if not self.gone:
            self.gone = reason
            self.on_gone(reason)


# One for all bots: what is in it is dealt with before the next one reads.
BUFFER = bytearray(_BUFFER_BYTES)
VIEW = memoryview(BUFFER)


def _receive_nothing(_buffer: bytearray | memoryview) -> int:
    """Not connected."""
    raise BlockingIOError
