"""A running room, and visitors who talk to it over real loopback sockets."""

from __future__ import annotations

import contextlib
import json
import socket
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from chatroom.journal.memory import MemoryJournal
from chatroom.server.service import Service
from chatroom.settings import UNLIMITED, ServerSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatroom.journal import Journal

#: Whoever waits longer than this has found a bug; nothing here takes a tenth of it.
PATIENCE_SECONDS = 30


class Visitor:
    """One client: says lines, and reads what the room says."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._lines: deque[bytes] = deque()
        self._tail = b""

    async def send(self, data: bytes) -> None:
        with trio.fail_after(PATIENCE_SECONDS):
            await self.stream.send_all(data)

    async def say(self, *lines: str | dict[str, Any]) -> None:
        """Lines of text, or objects as JSON Lines."""
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        await self.send("".join(f"{text}\n" for text in texts).encode())

    async def receive(self) -> bytes:
        return bytes(await self.stream.receive_some(65536))

    async def line_bytes(self) -> bytes:
        """The next line, without its LF. Raises `EOFError` at the end of the stream."""
        if not self._lines:  # else there is nothing to wait for: a deadline costs more than a line
            with trio.fail_after(PATIENCE_SECONDS):
                await self._read_lines()
        return self._lines.popleft()

    async def _read_lines(self) -> None:
        while not self._lines:
            chunk = await self.receive()
            if not chunk:
                raise EOFError
            *whole, self._tail = (self._tail + chunk).split(b"\n")
            self._lines += whole

    async def line(self) -> str:
        return (await self.line_bytes()).decode()

    async def lines(self, count: int) -> list[str]:
        return [await self.line() for _ in range(count)]

    async def object(self) -> dict[str, Any]:
        """The next line that is an object; plain notices before the welcome are passed over."""
        while not (line := await self.line()).startswith("{"):
            assert line.startswith("-- "), line
        loaded: dict[str, Any] = json.loads(line)
        return loaded

    async def rest(self) -> list[str]:
        """All lines until the server closes; a last line without an end is a fault."""
        lines = []
        with contextlib.suppress(EOFError):
            while True:
                lines.append(await self.line())
        assert self._tail == b"", "the last line is torn"
        return lines

    async def settle(self) -> None:
        """Everything that this visitor has said so far has been dealt with, and all that it is
        told up to there has been read. Plain only.
        """
        await self.say("/ping")
        while await self.line() != "-- pong":
            pass

    async def aclose(self) -> None:
        await self.stream.aclose()

    def reset(self) -> None:
        """Vanish: the connection is aborted with a reset."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.stream.socket.close()


class House:
    """A service that runs within the test, and its visitors."""

    def __init__(self, service: Service, journal: Journal) -> None:
        self.service = service
        self.journal = journal
        self._sockets: list[trio.socket.SocketType] = []

    async def knock(
        self, *, receive_buffer_bytes: int | None = None, source: str | None = None
    ) -> Visitor:
        """Connect, and say nothing yet. `source`: the address to come from."""
        sock = trio.socket.socket()
        if receive_buffer_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.closes(sock)
        if source is not None:
            await sock.bind((source, 0))
        await sock.connect(("127.0.0.1", self.service.port))
        return Visitor(trio.SocketStream(sock))

    async def enter(self, nick: str, *, receive_buffer_bytes: int | None = None) -> Visitor:
        """A plain visitor, welcomed."""
        visitor = await self.knock(receive_buffer_bytes=receive_buffer_bytes)
        await visitor.say(f"/nick {nick}")
        assert f"you are {nick} " in await visitor.line()
        return visitor

    async def enter_json(self, nick: str | None = None, **hello: object) -> Visitor:
        """A visitor with JSON Lines, welcomed."""
        visitor, _ = await self.welcome(nick, **hello)
        return visitor

    async def welcome(
        self, nick: str | None = None, **hello: object
    ) -> tuple[Visitor, dict[str, Any]]:
        """A visitor with JSON Lines, and its welcome."""
        visitor = await self.knock()
        if nick is not None:
            hello["nick"] = nick
        await visitor.say(f"/json {json.dumps(hello)}")
        welcome = await visitor.object()
        assert welcome["kind"] == "welcome", welcome
        return visitor, welcome

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what the service comes to without telling any visitor."""
        with trio.fail_after(PATIENCE_SECONDS):
            while not condition():  # noqa: ASYNC110 - what is waited for has no event
                await trio.sleep(0.002)

    def closes(self, sock: trio.socket.SocketType) -> None:
        """Close `sock` with all others."""
        self._sockets.append(sock)

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()


async def open_house(
    nursery: trio.Nursery, mode: str, *, journal: Journal | None = None, **settings: Any
) -> House:
    """Start a service on a free port in `nursery`; without a journal it remembers in memory, and
    without `rates` one may talk as fast as one likes.
    """
    settings.setdefault("rates", UNLIMITED)
    if journal is None:
        journal = MemoryJournal(settings.get("recent_events", ServerSettings.recent_events))
    service = Service(ServerSettings(**{"port": 0, "mode": mode, **settings}), journal)
    await nursery.start(partial(service.run))
    return House(service, journal)
