"""The promise of resuming, against the real server: whatever is cut wherever, nothing is lost or
doubled, in either direction."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

import chatroom
from chatroom.client import Room
from chatroom.event import Event
from tests.client.web_relay import WebRelay
from tests.visiting import open_house

if TYPE_CHECKING:
    from trio_typing import TaskStatus

#: Bytes after which a connection is cut: some within the hello, the welcome, a replay, an event.
cuts = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 4000)), max_size=8)

#: Few texts, so that the same one is often said twice in a row.
texts = st.lists(st.sampled_from(["a", "b", "c"]), max_size=25)


class CuttingRelay:
    """Between a client and the server: each connection breaks after its share of bytes."""

    def __init__(self, port: int, shares: list[tuple[int, int]]) -> None:
        self._to = port
        self._shares = iter(shares)
        self.port = 0

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._relay, listeners)

    async def _relay(self, client: trio.SocketStream) -> None:
        up, down = next(self._shares, (10**9, 10**9))
        server = await trio.open_tcp_stream("127.0.0.1", self._to)
        async with client, server, trio.open_nursery() as nursery:
            nursery.start_soon(self._copy, client, server, up, nursery.cancel_scope)
            nursery.start_soon(self._copy, server, client, down, nursery.cancel_scope)

    async def _copy(
        self,
        source: trio.SocketStream,
        target: trio.SocketStream,
        share_bytes: int,
        scope: trio.CancelScope,
    ) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for chunk in source:
                await target.send_all(chunk[:share_bytes])
                share_bytes -= len(chunk)
                if share_bytes <= 0:
                    break
        scope.cancel()


async def listen(room: Room, until: str) -> list[tuple[int, str, str]]:
    """The messages up to one."""
    seen = []
    async for event in room:
        assert isinstance(event, Event), event
        if event.kind == "message":
            seen.append((event.seq, event.nick, event.text))
        if event.text == until:
            break
    return seen


async def scenario(
    shares: list[tuple[int, int]],
    said: list[str],
    heard: list[str],
    way: tuple[bool, bool],
    web: bool,
) -> None:
    presence, echo = way
    async with trio.open_nursery() as nursery:
        house = await open_house(nursery, "epoll")
        port = house.service.port
        if web:
            before_it = WebRelay(port)
            await nursery.start(before_it.run)
            port = before_it.port
        relay = CuttingRelay(port, shares)
        await nursery.start(relay.run)
        address = f"ws://127.0.0.1:{relay.port}/ws" if web else f"127.0.0.1:{relay.port}"
        direct = chatroom.connect(port=house.service.port, nick="bob", echo=True, presence=False)
        async with direct as bob:
            broken = Broken(address, said, presence=presence, echo=echo)
            nursery.start_soon(broken.run)
            await broken.entered.wait()
            for text in heard:
                await bob.say(text)
                await trio.sleep(0.03)
            await broken.spoken.wait()
            await bob.say("the end")
            everything = await listen(bob, "the end")
            await broken.ended.wait()
        mine = [message for message in everything if message[1] == "alice"]
        assert [text for _, _, text in mine] == said
        assert broken.acked == [seq for seq, _, _ in mine]
        others = [message for message in everything if message[1] != "alice"]
        assert broken.seen == (everything if echo else others)
        house.close()
        nursery.cancel_scope.cancel()


class Broken:
    """Talks and listens over connections that break."""

    def __init__(self, address: str, said: list[str], *, presence: bool, echo: bool) -> None:
        self._address, self._said = address, said
        self._presence, self._echo = presence, echo
        self.acked: list[int] = []
        self.seen: list[tuple[int, str, str]] = []
        self.entered, self.spoken, self.ended = trio.Event(), trio.Event(), trio.Event()

    async def run(self) -> None:
        while True:
            with suppress(chatroom.client.errors.Unreachable):
                await self._talk_and_listen()
                return

    async def _talk_and_listen(self) -> None:
        host, _, port = self._address.rpartition(":")
        host, number = (self._address, 0) if host.startswith("ws") else (host, int(port))
        connection = chatroom.connect(
            host, number, nick="alice", resume=True, presence=self._presence, echo=self._echo
        )
        async with connection as room, trio.open_nursery() as nursery:
            self.entered.set()
            nursery.start_soon(self._listen, room)
            receipts = []
            for text in self._said:
                receipts.append(room.say_nowait(text))
                if len(receipts) % 5 == 0:
                    await trio.sleep(0.02)
            self.acked = [await receipt.wait() for receipt in receipts]
            self.spoken.set()

    async def _listen(self, room: Room) -> None:
        self.seen = await listen(room, "the end")
        self.ended.set()


@settings(max_examples=40, deadline=None)
@given(cuts, texts, texts, st.tuples(st.booleans(), st.booleans()), st.booleans())
def test_whatever_is_cut_nothing_is_lost_or_doubled(
    shares: list[tuple[int, int]],
    said: list[str],
    heard: list[str],
    way: tuple[bool, bool],
    web: bool,
) -> None:
    clock = trio.testing.MockClock(autojump_threshold=0.005)
    trio.run(scenario, shares, said, heard, way, web, clock=clock)
