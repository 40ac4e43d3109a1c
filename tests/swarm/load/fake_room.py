"""A chat server for tests that can be told to misbehave: plain lines, one message at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from trio_typing import TaskStatus

#: Given how many messages there were before, and the line: the lines to send in its place.
Plant = Callable[[int, bytes], list[bytes]]


def faithful(_number: int, line: bytes) -> list[bytes]:
    return [line]


@dataclass
class FakeRoom:
    """Says every line to everyone but its sender, by the name that it gave.

    Args:
        plant: what happens to the lines of the victim.
        victim: the connection, in the order of their coming, whose lines are spoilt; None: all.
        stall_at: before this message everyone waits `stall_seconds`.
    """

    plant: Plant = faithful
    victim: int | None = None
    stall_at: int = -1
    stall_seconds: float = 0.0
    port: int = 0
    number: int = 0
    quits: int = 0
    lets_go: bool = True  #: does it close the connections of those who quit?
    members: list[trio.SocketStream] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)  #: by the order of their coming
    floor: trio.Lock = field(default_factory=trio.Lock)  # one talks at a time

    async def run(self, *, task_status: TaskStatus[int]) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(trio.serve_listeners, self.serve, listeners))
            task_status.started(self.port)

    async def serve(self, stream: trio.SocketStream) -> None:
        place = len(self.members)
        self.members.append(stream)
        partial_line = b""
        async for chunk in stream:
            *lines, partial_line = (partial_line + chunk).split(b"\n")
            for line in lines:
                if line in (b"/quit", b'{"kind":"quit"}'):
                    self.quits += 1
                    if self.lets_go:
                        await stream.aclose()
                        return
                if line.startswith(b"/nick "):
                    self.names[place] = line[6:].decode()
                if not line.startswith(b"/"):
                    await self.say(place, f"{self.names.get(place)}: ".encode() + line + b"\n")

    async def say(self, talker: int, line: bytes) -> None:
        async with self.floor:
            await self.tell(talker, line)

    async def tell(self, talker: int, line: bytes) -> None:
        number, self.number = self.number, self.number + 1
        if number == self.stall_at:
            await trio.sleep(self.stall_seconds)
        spoilt = self.plant(number, line)
        for place, stream in enumerate(self.members):
            if place != talker:
                lines = spoilt if self.victim in (None, place) else [line]
                if lines:
                    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                        await self.send(stream, lines)

    async def send(self, stream: trio.SocketStream, lines: list[bytes]) -> None:
        await stream.send_all(b"".join(lines))
