"""Visitors who come by WebSocket, over real loopback sockets; the frames are our own."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import trio

from tests.protocol.websocket.framing import CLOSE, TEXT, Got, closes, says, split_frames
from tests.protocol.websocket.test_handshake import shakes
from tests.visiting import PATIENCE_SECONDS, House, Visitor


class SocketVisitor:
    """One client of `/ws`: says objects, and reads what the room says."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self._frames: deque[Got] = deque()
        self._lines: deque[str] = deque()
        self._tail = b""

    async def shake_hands(self) -> None:
        await self.visitor.send(shakes())
        with trio.fail_after(PATIENCE_SECONDS):
            while b"\r\n\r\n" not in self._tail:
                self._tail += await self.visitor.stream.receive_some(65536)
        head, _, self._tail = self._tail.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head

    async def say(self, *requests: dict[str, Any]) -> None:
        """Objects, each in a line of one frame."""
        await self.visitor.send(says(*map(json.dumps, requests)))

    async def frame(self) -> Got:
        """The next frame. Raises `EOFError` at the end of the stream; a torn one is a fault."""
        with trio.fail_after(PATIENCE_SECONDS):
            while not self._frames:
                chunk = await self.visitor.stream.receive_some(65536)
                if not chunk:
                    assert self._tail == b"", "the last frame is torn"
                    raise EOFError
                frames, self._tail = split_frames(self._tail + chunk)
                self._frames += frames
        return self._frames.popleft()

    async def object(self) -> dict[str, Any]:
        """The next line of a text frame."""
        while not self._lines:
            self._lines += (await self.frame()).lines
        loaded: dict[str, Any] = json.loads(self._lines.popleft())
        return loaded

    async def objects(self, count: int) -> list[dict[str, Any]]:
        return [await self.object() for _ in range(count)]

    async def rest(self) -> tuple[list[dict[str, Any]], Got]:
        """All lines until the server closes, and the close frame, which is the last."""
        lines = list(self._lines)
        while (frame := await self.frame()).opcode == TEXT:
            lines += frame.lines
        assert frame.opcode == CLOSE
        try:
            after = await self.frame()
        except EOFError:
            return [json.loads(line) for line in lines], frame
        raise AssertionError(f"{after} after the close frame")

    async def close(self, code: int | None = 1000) -> Got:
        """Close in good order; the server's answer."""
        await self.visitor.send(closes(code))
        while (frame := await self.frame()).opcode != CLOSE:
            pass
        return frame


async def knock_socket(house: House, *, receive_buffer_bytes: int | None = None) -> SocketVisitor:
    """Shake hands, and say nothing yet."""
    socket = SocketVisitor(await house.knock(receive_buffer_bytes=receive_buffer_bytes))
    await socket.shake_hands()
    return socket


async def enter_socket(
    house: House, nick: str, *, receive_buffer_bytes: int | None = None, **hello: object
) -> SocketVisitor:
    """A visitor by WebSocket, welcomed."""
    socket = await knock_socket(house, receive_buffer_bytes=receive_buffer_bytes)
    await socket.say({"nick": nick, **hello})
    welcome = await socket.object()
    assert (welcome["kind"], welcome["nick"]) == ("welcome", nick), welcome
    return socket
