"""Renames whose answers are lost: what one is called, and that nobody stays behind."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

import chatroom
from chatroom.client.errors import NickTaken, NotStored
from chatroom.event import Event
from tests.client.fake import FakeConnection, FakeRoom, Line
from tests.visiting import House, open_house

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio_typing import TaskStatus

WIDE = "ｂｏｂ"  # noqa: RUF001  # which a room shows as bob


async def test_the_name_is_the_one_that_was_given(fake: FakeRoom) -> None:
    async with chatroom.connect(port=fake.port, nick="alice") as room:
        await room.rename(WIDE)
        assert room.nick == "bob"


async def test_a_name_that_is_not_stored_is_ours_all_the_same(fake: FakeRoom) -> None:
    def forget(connection: FakeConnection, request: Line) -> bool:
        if request["kind"] != "rename":
            return False
        fake.happen("rename", connection.nick, to="bob")
        connection.nick = "bob"
        answer = {"kind": "error", "code": "not_stored", "text": "the disk is full"}
        connection.send({**answer, "id": request["id"]})
        return True

    fake.before = forget
    async with chatroom.connect(port=fake.port, nick="alice") as room:
        with pytest.raises(NotStored):
            await room.rename(WIDE)
        assert room.nick == "bob"


async def test_after_a_normalised_rename_nothing_is_said_twice(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    def lose_the_answer(connection: FakeConnection, request: Line) -> bool:
        if request["kind"] != "message":
            return False
        fake.before = lambda connection, request: False
        fake.happen("message", connection.nick, text=request["text"])
        connection.close()
        return True

    async with chatroom.connect(port=fake.port, nick="alice", resume=True) as room:
        await room.rename(WIDE)
        fake.before = lose_the_answer
        assert await room.say("hi") == 2
    assert [event["kind"] for event in fake.log] == ["rename", "message"]


class LosingRelay:
    """Between a client and a server; from `lose` on the server's words are lost."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.port = 0
        self.lost = False
        self._unheard: set[trio.SocketStream] = set()  # servers whose client is gone
        self._pairs: list[tuple[trio.SocketStream, trio.SocketStream]] = []

    def lose(self) -> None:
        self.lost = True

    async def cut(self, *, server_too: bool) -> None:
        """The client's connection breaks; the server may not notice."""
        self.lost = False
        client, server = self._pairs[-1]
        self._unheard.add(server)
        await trio.aclose_forcefully(client)
        if server_too:
            await trio.aclose_forcefully(server)

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._relay, listeners)

    async def _relay(self, client: trio.SocketStream) -> None:
        server = await trio.open_tcp_stream("127.0.0.1", self._to)
        self._pairs.append((client, server))
        async with client, server, trio.open_nursery() as nursery:
            nursery.start_soon(self._up, client, server)
            nursery.start_soon(self._down, server, client)

    async def _up(self, client: trio.SocketStream, server: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for chunk in client:
                await server.send_all(chunk)
            await server.send_eof()

    async def _down(self, server: trio.SocketStream, client: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for chunk in server:
                if not self.lost and server not in self._unheard:
                    await client.send_all(chunk)


@pytest.fixture
async def real(nursery: trio.Nursery) -> AsyncIterator[House]:
    house = await open_house(nursery, "epoll")
    yield house
    house.close()
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("server_too", [True, False])
@pytest.mark.parametrize("to", ["caz", WIDE])
async def test_a_rename_without_answer_is_ours_in_the_end(
    quick_clock: trio.testing.MockClock,
    nursery: trio.Nursery,
    real: House,
    server_too: bool,
    to: str,
) -> None:
    """Whether the server has noticed the break, or still has somebody there under the new name."""
    relay = LosingRelay(real.service.port)
    await nursery.start(relay.run)
    async with (
        chatroom.connect(port=real.service.port, nick="watcher", presence=True) as watcher,
        chatroom.connect(port=relay.port, nick="alice", resume=True) as room,
    ):
        relay.lose()
        async with trio.open_nursery() as asking:
            asking.start_soon(room.rename, to)
            while not room.statistics().outstanding:
                await trio.lowlevel.checkpoint()
            said = room.say_nowait("after it")
            async for event in watcher:
                if event.text == "after it":
                    break
            await relay.cut(server_too=server_too)
        shown = "bob" if to == WIDE else to
        assert room.nick == shown
        assert await watcher.who() == sorted([shown, "watcher"])
        page = await watcher.history(limit=100)
        events = [event for event in page.events if isinstance(event, Event)]
        messages = [(event.seq, event.nick) for event in events if event.kind == "message"]
        assert messages == [(await said.wait(), shown)]
        assert [event.kind for event in events].count("rename") == 1


async def test_a_name_that_is_lost_meanwhile_is_said_to_be(
    quick_clock: trio.testing.MockClock, nursery: trio.Nursery, real: House
) -> None:
    relay = LosingRelay(real.service.port)
    await nursery.start(relay.run)
    async with (
        chatroom.connect(port=real.service.port, nick="watcher") as watcher,
        chatroom.connect(port=relay.port, nick="alice", resume=True) as room,
    ):
        relay.lose()
        async with trio.open_nursery() as asking:
            asking.start_soon(refused_rename, room, "caz")
            async for event in watcher:
                if event.kind == "rename":
                    break
            await relay.cut(server_too=True)
            while "caz" in await watcher.who():
                await trio.sleep(0)
            await watcher.rename("caz")
        assert room.nick == "alice"
        assert await watcher.who() == ["alice", "caz"]
        assert await room.say("still here") > 0


async def refused_rename(room: chatroom.client.Room, to: str) -> None:
    with pytest.raises(NickTaken):
        await room.rename(to)


async def test_an_old_name_that_was_taken_meanwhile_keeps_nobody_out(
    quick_clock: trio.testing.MockClock, nursery: trio.Nursery, real: House
) -> None:
    relay = LosingRelay(real.service.port)
    await nursery.start(relay.run)
    async with (
        chatroom.connect(port=real.service.port, nick="watcher") as watcher,
        chatroom.connect(port=relay.port, nick="alice", resume=True) as room,
    ):
        relay.lose()
        async with trio.open_nursery() as asking:
            asking.start_soon(room.rename, "caz")
            async for event in watcher:
                if event.kind == "rename":
                    break
            await watcher.rename("alice")
            await relay.cut(server_too=False)
        assert room.nick == "caz"
        assert await watcher.who() == ["alice", "caz"]
