"""IRC clients in a running room: what they say, and what they are told, line by line."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from chatroom.protocol.irc.line import parse_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.visiting import House, Visitor

_tokens = count(1)


@dataclass(frozen=True)
class Told:
    """A line of the server."""

    raw: str
    tags: Mapping[str, str]
    source: str
    command: str
    params: list[str]

    @property
    def nick(self) -> str:
        return self.source.partition("!")[0]

    @property
    def text(self) -> str:
        return self.params[-1]


def read(line: bytes) -> Told:
    """The server's line, which must be a whole one."""
    assert line.endswith(b"\r"), line
    raw = line.removesuffix(b"\r").decode()
    tags, rest = "", raw
    if rest.startswith("@"):
        tags, _, rest = rest.partition(" ")
    assert len(f"{rest}\r\n".encode()) <= 512, rest
    source = ""
    if rest.startswith(":"):
        source, _, rest = rest[1:].partition(" ")
    parsed = parse_line(f"{tags} {rest}".encode() if tags else rest.encode())
    assert parsed is not None
    return Told(raw, parsed.tags, source, parsed.command, parsed.params)


class IrcVisitor:
    """One IRC client."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor

    async def say(self, *lines: str) -> None:
        await self.visitor.send("".join(f"{line}\r\n" for line in lines).encode())

    async def told(self) -> Told:
        """The next line. Raises `EOFError`."""
        return read(await self.visitor.line_bytes())

    async def until(self, *commands: str) -> Told:
        """The next line with one of these commands; the others are passed over."""
        while (told := await self.told()).command not in commands:
            pass
        return told

    async def all(self) -> list[Told]:
        """All that it is told until everything that it has said has been dealt with."""
        token = f"t{next(_tokens)}"
        await self.say(f"PING {token}")
        lines = []
        while (told := await self.told()).params[-1:] != [token]:
            lines.append(told)
        return lines

    async def answer(self, *lines: str) -> list[Told]:
        """What it is told when it says this."""
        await self.say(*lines)
        return await self.all()

    async def rest(self) -> list[Told]:
        """All lines until the server closes."""
        lines = []
        try:
            while True:
                lines.append(await self.told())
        except EOFError:
            return lines


async def connect(house: House) -> IrcVisitor:
    """A client that has said nothing yet."""
    return IrcVisitor(await house.knock())


async def register(house: House, nick: str, *caps: str) -> IrcVisitor:
    """A client with a name, that is not in the room yet."""
    client = await connect(house)
    if caps:
        await client.say(f"CAP REQ :{' '.join(caps)}")
        acknowledged = await client.told()
        assert acknowledged.params[1:] == ["ACK", " ".join(caps)]
    await client.say(f"NICK {nick}", f"USER {nick} 0 * :{nick.title()} Real", "CAP END")
    await client.until("376")
    return client


async def join(house: House, nick: str, *caps: str) -> IrcVisitor:
    """A client that is in the room, and has read all that it was told at first."""
    client = await register(house, nick, *caps)
    await client.answer("JOIN #lobby")
    return client


def commands(lines: list[Told]) -> list[str]:
    return [line.command for line in lines]
