"""A bot that comes in by a WebSocket: to its ear, and to who talks by it, it is one on bare TCP."""

from __future__ import annotations

import socket
from collections.abc import Callable
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

_RESPONSE_BYTES = 16 * 1024


class WebSocketBot(TcpBot):
    """See `TcpBot`; the greeting goes in the first frame, once the WebSocket is open."""

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

    def _receiver(self, sock: socket.socket) -> Callable[[bytearray], int]:
        receive_into, frames, received = sock.recv_into, self._frames, VIEW[ROOM_BYTES:]

        def receive_records(_buffer: bytearray) -> int:
            """Like `recv_into`: raises BlockingIOError where no record has come."""
            try:
                if self._handshake is not None:
                    count = self._open(sock.recv(_RESPONSE_BYTES))
                elif kept := frames.kept:
                    received[: len(kept)] = kept
                    count = receive_into(received[len(kept) :])
                    count += len(kept) if count else 0
                else:
                    count = receive_into(received)
                if not count:
                    return 0
                records = frames.unframe(VIEW, ROOM_BYTES + count)
            except WebSocketFault as fault:
                self._leave(str(fault))
                raise BlockingIOError from None
            if frames.replies:
                self._reply()
            if not records:
                raise BlockingIOError
            return records

        return receive_records

    def _open(self, chunk: bytes) -> int:
        """Take a part of the response; returns how much has come that is behind it."""
        assert self._handshake is not None
        if not chunk:
            return 0
        rest = self._handshake.receive(chunk)
        if rest is None:
            raise BlockingIOError
        self._handshake = None
        self.say(self._hello)
        if self._held:
            self.say(self._held)
            self._held = b""
        if not rest:
            raise BlockingIOError
        VIEW[ROOM_BYTES : ROOM_BYTES + len(rest)] = rest
        return len(rest)

    def _reply(self) -> None:
        replies, self._frames.replies = self._frames.replies, b""
        self._send(replies)

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
