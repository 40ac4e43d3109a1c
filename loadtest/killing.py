"""A server of two is killed while people talk: when do they talk again, when do the others see who
has gone, and is anything lost?
"""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

import chatroom
from chatroom.client.errors import Unconfirmed
from chatroom.event import Event

if TYPE_CHECKING:
    from chatroom.client.room import Room
    from loadtest.serving import Server

#: So many follow to the other server, and so many stay away.
EACH = 20
_BEFORE_SECONDS = 1.0
_PAUSE_SECONDS = 0.1  #: between an ack and what is said next
#: The others are to see within 7 s who has gone; that nobody goes twice shows later.
WATCH_SECONDS = 10.0
_PATIENCE_SECONDS = 10.0
_END = "that was all"


@dataclass
class Killed:
    """What was seen. Times are seconds from the kill."""

    killed_at: float = 0.0
    over: bool = False
    talked_again: dict[str, float] = field(default_factory=dict)  #: the first ack, by nick
    left: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    acked: dict[str, int] = field(default_factory=dict)  #: numbers of what was said, by its text
    heard: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    unconfirmed: int = 0  #: of these a client cannot tell

    @property
    def lost(self) -> int:
        """What was acked and is not heard on the other server, by the number of its ack."""
        return sum(seq not in self.heard[text] for text, seq in self.acked.items())

    @property
    def doubled(self) -> int:
        """What was said once and heard more often."""
        return sum(len(seqs) > 1 for seqs in self.heard.values())


async def kill(first: Server, second: Server, watch_seconds: float = WATCH_SECONDS) -> Killed:
    """Kill the first server with SIGKILL, and see for so long what comes of it."""
    seen = Killed()
    hosts = [f"127.0.0.1:{server.port}" for server in (first, second)]
    async with AsyncExitStack() as rooms:
        reader = await rooms.enter_async_context(chatroom.connect(hosts[1], nick="reader"))
        followers = []
        for number in range(EACH):
            stays = chatroom.connect(hosts[0], nick=f"stays{number}", reconnect=False)
            await rooms.enter_async_context(stays)
            follows = chatroom.connect(hosts, nick=f"follows{number}", receive=False)
            followers.append(await rooms.enter_async_context(follows))
        async with trio.open_nursery() as reading:
            reading.start_soon(_read, reader, seen)
            async with trio.open_nursery() as talking:
                for room in followers:
                    talking.start_soon(_talk, room, seen)
                await trio.sleep(_BEFORE_SECONDS)
                seen.killed_at = trio.current_time()
                os.kill(first.pid, signal.SIGKILL)
                await trio.sleep(watch_seconds)
                seen.over = True
            await followers[0].say(_END)
            reading.cancel_scope.deadline = trio.current_time() + _PATIENCE_SECONDS
    return seen


async def _read(room: Room, seen: Killed) -> None:
    async for event in room:
        if event.text == _END:
            return
        if event.kind == "leave" and event.nick.startswith("stays"):
            seen.left[event.nick].append(trio.current_time() - seen.killed_at)
        elif isinstance(event, Event) and event.kind == "message":
            seen.heard[event.text].append(event.seq)


async def _talk(room: Room, seen: Killed) -> None:
    nick, number = room.nick, 0
    while not seen.over:
        number += 1
        text = f"{nick} {number}"
        try:
            seen.acked[text] = await room.say(text)
        except Unconfirmed:
            seen.unconfirmed += 1
            continue
        if seen.killed_at and room.statistics().reconnects:
            seen.talked_again.setdefault(nick, trio.current_time() - seen.killed_at)
        await trio.sleep(_PAUSE_SECONDS)
