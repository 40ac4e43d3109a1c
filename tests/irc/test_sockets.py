"""IRC over a WebSocket: a line is a frame."""

from __future__ import annotations

import pytest
import trio

from tests.irc.speaking import read
from tests.protocol.websocket.framing import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Got,
    masked,
    split_frames,
)
from tests.protocol.websocket.test_handshake import shakes
from tests.visiting import PATIENCE_SECONDS, House, Visitor


class _Browser:
    """A client of `/ws` that speaks IRC in frames."""

    def __init__(self, visitor: Visitor, opcode: int) -> None:
        self._visitor = visitor
        self._opcode = opcode
        self._frames: list[Got] = []
        self._tail = b""

    async def say(self, *lines: str) -> None:
        await self._visitor.send(b"".join(masked(self._opcode, line.encode()) for line in lines))

    async def frame(self) -> Got:
        with trio.fail_after(PATIENCE_SECONDS):
            while not self._frames:
                chunk = await self._visitor.stream.receive_some(65536)
                frames, self._tail = split_frames(self._tail + chunk)
                self._frames += frames
        return self._frames.pop(0)

    async def until(self, command: str) -> list[str]:
        """The lines up to one with this command."""
        lines = []
        while True:
            frame = await self.frame()
            assert frame.opcode == self._opcode
            assert b"\n" not in frame.payload
            lines.append(frame.payload.decode())
            if read(frame.payload + b"\r").command == command:
                return lines

    async def send(self, data: bytes) -> None:
        await self._visitor.send(data)


async def _open(house: House, protocol: str, opcode: int) -> _Browser:
    visitor = await house.knock()
    await visitor.send(shakes({"Sec-WebSocket-Protocol": protocol}))
    head = b""
    with trio.fail_after(PATIENCE_SECONDS):
        while not head.endswith(b"\r\n\r\n"):
            head += await visitor.stream.receive_some(1)
    assert f"sec-websocket-protocol: {protocol}".encode() in head.lower()
    return _Browser(visitor, opcode)


@pytest.mark.parametrize(
    ("protocol", "opcode"), [("text.ircv3.net", TEXT), ("binary.ircv3.net", BINARY)]
)
async def test_a_conversation(house: House, protocol: str, opcode: int) -> None:
    bob = await house.enter("bob")
    web = await _open(house, protocol, opcode)
    await web.say("NICK web", "USER w 0 * :Web\r\n")
    assert "001 web" in (await web.until("376"))[0]
    await web.say("CAP REQ server-time", "JOIN #lobby", "PRIVMSG #lobby :gr\u00fc\u00dfe")
    await web.until("366")
    assert await bob.lines(2) == ["-- web joined", "web: gr\u00fc\u00dfe"]
    await bob.say("one", "two")
    lines = [*await web.until("PRIVMSG"), *await web.until("PRIVMSG")]
    assert [line.partition(" ")[2] for line in lines] == [
        ":bob!member@chatroom.local PRIVMSG #lobby :one",
        ":bob!member@chatroom.local PRIVMSG #lobby :two",
    ]
    await web.send(masked(PING, b"?"))
    assert await web.frame() == Got(PONG, b"?")
    await web.say("QUIT :bye")
    await web.until("ERROR")
    assert (await web.frame()).opcode == CLOSE
    assert await bob.line() == "-- web left (quit: bye)"


async def test_bytes_that_are_no_text_are_refused_in_their_own_way(house: House) -> None:
    text = await _open(house, "text.ircv3.net", TEXT)
    await text.send(masked(TEXT, b"PRIVMSG #lobby :\xff"))
    assert (await text.frame()).opcode == CLOSE
    binary = await _open(house, "binary.ircv3.net", BINARY)
    await binary.send(masked(BINARY, b"PING \xff"))
    assert "INVALID_UTF8" in (await binary.until("FAIL"))[0]


@pytest.mark.parametrize("protocol", ["text.ircv3.net", "binary.ircv3.net"])
async def test_lines_are_read_in_frames_of_either_kind(house: House, protocol: str) -> None:
    web = await _open(house, protocol, TEXT if protocol.startswith("text") else BINARY)
    await web.send(masked(TEXT, b"PING one") + masked(BINARY, b"PING two\xe9 x"))
    assert "INVALID_UTF8" in (await web.until("FAIL"))[-1]
    await web.send(masked(BINARY, b"NICK web") + masked(TEXT, b"USER w 0 * :Web"))
    assert "001 web" in (await web.until("376"))[0]
    await web.send(masked(TEXT, b"PRIVMSG #lobby :\xff"))
    assert (await web.frame()).opcode == CLOSE
