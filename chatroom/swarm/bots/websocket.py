"""A bot that comes in by a WebSocket: to its ear, and to who talks by it, it is one on bare TCP."""

from __future__ import annotations

import os
import select
import socket
from time import monotonic_ns
from typing import Any

from chatroom.swarm.bots.poller import Poller
from chatroom.swarm.bots.tcp import VIEW, TcpBot
from chatroom.swarm.wire.websocket import (
    ROOM_BYTES,
    Frames,
    Handshake,
    WebSocketFault,
    frames_of,
)

#: Where a bot receives: behind it, too, is room for the end of a record.
_RECEIVED = VIEW[ROOM_BYTES:-1]


class WebSocketBot(TcpBot):
    """See `TcpBot`; the greeting goes in the first frame, once the WebSocket is open."""

    is_greeted = False  # the handshake comes first

    def __init__(
        self, name: str, poller: Poller, address: tuple[int, Any], greeting: bytes
    ) -> None:
        self._handshake: Handshake | None = Handshake(_host(address))
        super().__init__(name, poller, address, self._handshake.request)
        self._hello = greeting
        self._held = b""  # said before the WebSocket was open
        self._frames = Frames()

    def say(self, request: bytes) -> None:
        if self._handshake is None:
            self._send(frames_of(request))
        else:
            self._held += request

    def read_now(self, mask: int) -> None:
        if mask != select.EPOLLIN and not self._is_readable(mask):
            return
        try:
            chunk = self._receive()
        except BlockingIOError:
            return
        except OSError as error:
            self._leave(os.strerror(error.errno or 0))
            return
        except WebSocketFault as fault:
            self._leave(str(fault))
            return
        if chunk is None:
            self._leave("closed by the server")
            return
        if chunk:
            self.ear.hear(monotonic_ns() // 1000, chunk)
        if self._frames.replies:
            replies, self._frames.replies = self._frames.replies, b""
            self._send(replies)

    def _receive(self) -> memoryview | None:
        """The records that have come, perhaps none; None at the stream's end."""
        if self._handshake is not None:
            return self._open(self._handshake)
        if kept := self._frames.kept:
            _RECEIVED[: len(kept)] = kept
            count = self._receive_into(_RECEIVED[len(kept) :])
            end = count and ROOM_BYTES + len(kept) + count
        else:
            count = self._receive_into(_RECEIVED)
            end = ROOM_BYTES + count
        return self._frames.unframe(VIEW, end) if count else None

    def _open(self, handshake: Handshake) -> memoryview | None:
        """Take a part of the response, and what has come behind it."""
        count = self._receive_into(_RECEIVED)
        rest = handshake.receive(bytes(_RECEIVED[:count]))
        if rest is None:
            return _RECEIVED[:0] if count else None
        self._handshake = None
        self.entered = True
        self.say(self._hello)
        if self._held:
            self.say(self._held)
            self._held = b""
        _RECEIVED[: len(rest)] = rest
        return self._frames.unframe(VIEW, ROOM_BYTES + len(rest))

    def _leave(self, reason: str) -> None:
        # A close frame says more than the end of the stream, or the reset, that follows it.
        closed = self._frames.closed
        super()._leave(f"closed by the server: {closed}" if closed else reason)


def _host(address: tuple[int, Any]) -> str:
    """The `Host` header for an address."""
    family, where = address
    if family == socket.AF_UNIX:
        return "localhost"
    return f"[{where[0]}]:{where[1]}" if family == socket.AF_INET6 else f"{where[0]}:{where[1]}"
