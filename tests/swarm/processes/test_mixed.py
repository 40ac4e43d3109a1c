"""All formats in one room: a process of the swarm for each, and one order across them."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass, field

import pytest
import trio

from chatroom.swarm.figures.result import RunOutcome
from chatroom.swarm.processes.team import run_together
from chatroom.swarm.settings import SwarmSettings
from chatroom.swarm.wire.dialect import DIALECTS, MIXED, dialect_of
from tests.swarm.load.fake_room import FakeRoom
from tests.swarm.load.fake_web_room import FakeWebRoom

TEXT = re.compile(rb"[0-9a-z]{4}:[0-9a-f]{4}:[0-9a-z:]+")


@dataclass
class FakeMixedRoom(FakeWebRoom):
    """See `FakeRoom`; its members speak plain, JSON Lines or WebSocket, by their first bytes."""

    speakers_of_json: set[trio.SocketStream] = field(default_factory=set)
    formats: set[str] = field(default_factory=set)

    async def serve(self, stream: trio.SocketStream) -> None:
        first = await stream.socket.recv(5, socket.MSG_PEEK)
        if first.startswith(b"GET "):
            await super().serve(stream)
        else:
            if first == b"/json":
                self.speakers_of_json.add(stream)
            await FakeRoom.serve(self, stream)

    async def send(self, stream: trio.SocketStream, lines: list[bytes]) -> None:
        texts = [found[0] for line in lines if (found := TEXT.search(line))]
        nicks = [f"bot{text[:4].decode()}-t{int(text[5:9], 16)}" for text in texts]
        if stream in self.protocols or stream in self.speakers_of_json:
            lines = [
                json.dumps(
                    {"seq": self.number, "kind": "message", "nick": nick, "text": text.decode()}
                ).encode()
                + b"\n"
                for nick, text in zip(nicks, texts, strict=True)
            ]
        else:
            lines = [
                b"%b: %b\n" % (nick.encode(), text) for nick, text in zip(nicks, texts, strict=True)
            ]
        if stream in self.protocols:
            await super().send(stream, lines)
        else:
            await FakeRoom.send(self, stream, lines)


async def mixed(room: FakeMixedRoom) -> tuple[str, int, int, bool]:
    """A short run; its outcome, what was delivered and expected, and whether the order was one."""
    async with trio.open_nursery() as nursery:
        port = await nursery.start(room.run)
        work = SwarmSettings(
            port=port,
            dialect=MIXED,
            processes=3,
            bots=9,
            talkers=3,
            rate=200,
            warmup_seconds=0.05,
            duration_seconds=0.3,
        )
        with trio.fail_after(60):
            result = await run_together(work, [], None)
        nursery.cancel_scope.cancel()
    return result.outcome, result.delivered, result.expected, result.same_order


async def test_all_formats_hear_the_same_in_one_order() -> None:
    room = FakeMixedRoom()
    outcome, delivered, expected, same_order = await mixed(room)
    assert outcome in (RunOutcome.PASS, RunOutcome.GENERATOR_BOUND)
    assert delivered == expected > 300
    assert same_order
    assert (len(room.protocols), len(room.speakers_of_json), len(room.members)) == (3, 3, 9)


async def test_one_format_that_hears_another_order_is_found_out() -> None:
    held: dict[trio.SocketStream, list[bytes]] = {}

    class Unfair(FakeMixedRoom):
        """Its WebSockets hear one talker's message after the next talker's."""

        async def send(self, stream: trio.SocketStream, lines: list[bytes]) -> None:
            if stream in self.protocols and 40 <= self.number < 42:
                held.setdefault(stream, []).extend(lines)
                if len(held[stream]) == 2:
                    for line in reversed(held.pop(stream)):
                        await super().send(stream, [line])
                return
            await super().send(stream, lines)

    outcome, _, _, same_order = await mixed(Unfair())
    assert outcome is RunOutcome.FAULTS
    assert not same_order


@pytest.mark.parametrize("rank", range(6))
def test_each_process_speaks_another_dialect(rank: int) -> None:
    assert dialect_of(MIXED, rank).name == list(DIALECTS)[rank % len(DIALECTS)]
    assert dialect_of("json", rank).name == "json"
