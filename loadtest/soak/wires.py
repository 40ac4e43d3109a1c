"""A connection of each format there is, as lines: what is said, and what comes."""

from __future__ import annotations

import json
import socket
from typing import Any

import trio

from chatroom.settings import DEFAULT_HOST
from chatroom.swarm.wire.websocket import ROOM_BYTES, Frames, Handshake, WebSocketFault, frames_of

CONNECT_SECONDS = 10.0
SEND_SECONDS = 30.0  # longer than any fault
_CHUNK_BYTES = 65_536
_HEADER_BYTES = 4  # of a frame, which is looked at before it is known to be whole


class Wire:
    """Plain TCP. What breaks raises `trio.BrokenResourceError` or `OSError`."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._tail = b""
        self._sending = trio.Lock()  # who listens answers pings while who talks is talking

    async def open(self) -> None:
        """What comes before the first line."""

    async def say(self, lines: bytes) -> None:
        """Send lines, each with its end. Raises `trio.TooSlowError` if nobody takes them."""
        await self._send(self._sent(lines))

    async def _send(self, data: bytes) -> None:
        with trio.fail_after(SEND_SECONDS):
            async with self._sending:
                await self._stream.send_all(data)

    async def lines(self) -> list[bytes]:
        """The next lines, without their ends; none at the end of the connection."""
        while chunk := await self._receive():
            *whole, self._tail = (self._tail + chunk).split(b"\n")
            if whole:
                return whole
        return []

    def reset(self) -> None:
        """Go without a word."""
        self._stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._stream.socket.close()

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()

    def _sent(self, lines: bytes) -> bytes:
        return lines

    async def _receive(self) -> bytes:
        return bytes(await self._stream.receive_some(_CHUNK_BYTES))


class WebSocketWire(Wire):
    """A WebSocket. What breaks RFC 6455 raises `WebSocketFault`."""

    def __init__(self, stream: trio.SocketStream) -> None:
        super().__init__(stream)
        self._frames = Frames()
        self._rest = b""

    async def open(self) -> None:
        handshake = Handshake(DEFAULT_HOST)
        with trio.fail_after(SEND_SECONDS):
            await self._stream.send_all(handshake.request)
            rest = None
            while rest is None:
                chunk = await self._stream.receive_some(_CHUNK_BYTES)
                if not chunk:
                    raise WebSocketFault("no response to the handshake")
                rest = handshake.receive(bytes(chunk))
        self._rest = rest

    def _sent(self, lines: bytes) -> bytes:
        return frames_of(lines)

    async def _receive(self) -> bytes:
        while True:
            chunk, self._rest = self._rest, b""
            chunk = chunk or bytes(await self._stream.receive_some(_CHUNK_BYTES))
            if not chunk:
                return b""
            data = self._frames.kept + chunk
            buffer = bytearray(ROOM_BYTES) + data + bytes(_HEADER_BYTES)
            records = self._frames.unframe(memoryview(buffer), ROOM_BYTES + len(data))
            if self._frames.replies:
                replies, self._frames.replies = self._frames.replies, b""
                await self._send(replies)
            if records:
                return bytes(records)


WIRES: dict[str, type[Wire]] = {
    "plain": Wire,
    "json": Wire,
    "ws": WebSocketWire,
    "irc": Wire,
}


async def connect(port: int, format: str, *, receive_buffer_bytes: int = 0) -> Wire:
    """A connection that is ready for its first line. Raises `OSError`, `trio.TooSlowError`,
    `trio.BrokenResourceError` or `WebSocketFault` if there is none to be had.
    """
    sock = trio.socket.socket()
    try:
        if receive_buffer_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        with trio.fail_after(CONNECT_SECONDS):
            await sock.connect((DEFAULT_HOST, port))
        wire = WIRES[format](trio.SocketStream(sock))
        await wire.open()
    except BaseException:
        sock.close()
        raise
    return wire


def greeting(format: str, nick: str, **hello: Any) -> bytes:
    """The first lines: how one comes in under a name."""
    if format == "plain":
        return f"/nick {nick}\n".encode()
    if format == "irc":
        return f"NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\nJOIN #lobby\r\n".encode()
    prefix = "/json " if format == "json" else ""
    return f"{prefix}{json.dumps({'nick': nick, **hello})}\n".encode()


def saying(format: str, text: bytes, id: str | None = None) -> bytes:
    """A message. `id`: an ack is wanted; where the format has them."""
    if format == "plain":
        return text + b"\n"
    if format == "irc":
        return b"PRIVMSG #lobby :" + text + b"\r\n"
    wanted = f',"id":"{id}"'.encode() if id is not None else b""
    return b'{"kind":"message","text":"' + text + b'"' + wanted + b"}\n"


def heard(format: str, line: bytes) -> bytes | None:
    """The text of a message; None if the line is none. Plain text and IRC."""
    if format == "irc":
        before, said, text = line.rstrip(b"\r").partition(b" PRIVMSG #lobby :")
        return text if said and before.startswith(b":") else None
    if line.startswith((b"-- ", b"* ")):
        return None
    return line.partition(b": ")[2] or None


def is_in(format: str, line: bytes) -> bool:
    """Does this line say that one is in the room? Plain text and IRC."""
    return line.startswith(b"-- ") if format == "plain" else b" 366 " in line
