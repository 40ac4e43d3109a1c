"""A room on several servers: where a client goes on when its server is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

import chatroom
from chatroom.client import Connected, Disconnected, Room
from chatroom.client.errors import NickTaken, RoomClosed, Unconfirmed, Unreachable
from tests.client.fake import FakeConnection, FakeRoom, Line
from tests.client.reading import read

if TYPE_CHECKING:
    from trio_typing import TaskStatus


class FakeServer:
    """One of the servers of a fake room, which can die alone."""

    def __init__(self, room: FakeRoom) -> None:
        self.room = room
        self.port = 0
        self._scope = trio.CancelScope()

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        with self._scope:
            async with trio.open_nursery() as nursery:
                self.room.port = 0
                self.port = await nursery.start(self.room.serve)
                task_status.started()

    async def die(self) -> None:
        self._scope.cancel()
        await trio.testing.wait_all_tasks_blocked()

    def drain(self, *others: FakeServer) -> None:
        """Say goodbye to everybody, and name the others."""
        names = [server.name for server in others]
        for connection in list(self.room.connections):
            bye = {"kind": "bye", "reason": "shutdown", "text": "the server is being stopped"}
            connection.send({**bye, "servers": names})
            connection.close()


@pytest.fixture
async def servers(nursery: trio.Nursery) -> list[FakeServer]:
    """Three servers of one room."""
    room = FakeRoom()
    started = [FakeServer(room) for _ in range(3)]
    for server in started:
        await nursery.start(server.serve)
    return started


async def _back(room: Room) -> Connected:
    """The next connection."""
    for _ in range(100):
        item = await room.next_item()
        if isinstance(item, Connected) and item.again:
            return item
    raise AssertionError


async def test_goes_on_at_the_next_server_and_misses_nothing(
    quick_clock: trio.testing.MockClock, servers: list[FakeServer]
) -> None:
    a, b, _ = servers
    fake = a.room
    async with chatroom.connect([a.name, b.name], nick="alice", resume=True) as room:
        fake.happen("message", "bob", text="a")
        assert await read(room, 1) == ["1 a"]
        await a.die()
        died = trio.current_time()
        fake.happen("message", "bob", text="b")
        back = await _back(room)
        assert trio.current_time() - died < 1
        assert back.server == b.name
        assert await read(room, 1) == ["2 b"]
        assert await room.say("hi") == 3
    assert fake.hellos[1] == {
        "presence": True, "echo": False, "nick": "alice", "token": "t",
        "after": 1, "session": fake.session,
    }  # fmt: skip


async def test_a_server_that_is_named_in_the_welcome_is_gone_to(
    quick_clock: trio.testing.MockClock, servers: list[FakeServer]
) -> None:
    a, b, c = servers
    a.room.servers = [b.name, c.name]
    async with chatroom.connect(a.name, resume=True) as room:
        a.room.servers = [c.name]
        await a.die()
        assert (await _back(room)).server == b.name
        await b.die()
        assert (await _back(room)).server == c.name
        assert await room.say("hi") == 1


async def test_a_farewell_sends_to_another_server_at_once(
    quick_clock: trio.testing.MockClock, servers: list[FakeServer]
) -> None:
    a, b, _ = servers
    async with chatroom.connect(a.name, resume=True) as room:
        began = trio.current_time()
        a.drain(b)
        left = [await room.next_item() for _ in range(3)]
        assert isinstance(left[1], Disconnected)
        assert (left[1].reason, left[1].retry_seconds, left[1].servers) == ("shutdown", 0.0, 2)
        assert isinstance(left[2], Connected)
        assert left[2].server == b.name
        assert trio.current_time() == began


async def test_one_server_alone_is_waited_for_after_its_farewell(
    quick_clock: trio.testing.MockClock, servers: list[FakeServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    monkeypatch.setattr("chatroom.client.backoff.random.uniform", lambda low, high: high)
    async with chatroom.connect(servers[0].name, resume=True) as room:
        began = trio.current_time()
        servers[0].drain()
        assert (await _back(room)).server == servers[0].name
        assert trio.current_time() - began == pytest.approx(0.5)


@pytest.mark.parametrize("heard", [True, False])
async def test_what_had_no_ack_is_said_once_in_all(
    quick_clock: trio.testing.MockClock, servers: list[FakeServer], heard: bool
) -> None:
    a, b, _ = servers
    fake = a.room

    def die(connection: FakeConnection, request: Line) -> bool:
        if request["kind"] != "message":
            return False
        fake.before = lambda connection, request: False
        if heard:
            fake.happen("message", "alice", text=request["text"])
        connection.close()
        return True

    fake.before = die
    async with chatroom.connect([a.name, b.name], nick="alice", resume=True) as room:
        assert await room.say("hi") == 1
        assert await room.say("hi") == 2
    assert [event["text"] for event in fake.log] == ["hi", "hi"]


async def test_another_rooms_server_cannot_tell_whether_it_was_said(
    quick_clock: trio.testing.MockClock, servers: list[FakeServer], fake: FakeRoom
) -> None:
    fake.session = "FAKE000002"
    a = servers[0]
    a.room.before = lambda connection, request: request["kind"] == "message"
    places = [a.name, f"127.0.0.1:{fake.port}"]
    async with chatroom.connect(places, nick="alice", resume=True) as room:
        receipt = room.say_nowait("hi")
        await trio.testing.wait_all_tasks_blocked(0.02)
        await a.die()
        with pytest.raises(Unconfirmed):
            await receipt.wait()
    assert fake.log == []


async def test_enters_where_it_can(
    quick_clock: trio.testing.MockClock, servers: list[FakeServer]
) -> None:
    a, b, _ = servers
    await a.die()
    async with chatroom.connect([a.name, b.name]) as room:
        assert await room.say("hi") == 1


async def test_a_full_server_is_passed_by_and_a_refusal_of_the_room_is_not(
    quick_clock: trio.testing.MockClock, servers: list[FakeServer]
) -> None:
    a, b, _ = servers

    def refuse_first(code: str) -> None:
        def refuse(connection: FakeConnection, request: Line) -> bool:
            if request["kind"] == "hello":
                a.room.before = lambda connection, request: False
                connection.send({"kind": "error", "code": code, "text": code})
                connection.close()
            return bool(request["kind"] == "hello")

        a.room.before = refuse

    refuse_first("room_full")
    async with chatroom.connect([a.name, b.name]) as room:
        first = await room.next_item()
        assert isinstance(first, Connected)
        assert first.server == b.name
    refuse_first("nick_taken")
    with pytest.raises(NickTaken):
        async with chatroom.connect([a.name, b.name], nick="bob"):
            raise AssertionError


async def test_says_what_each_server_has_said(
    quick_clock: trio.testing.MockClock, servers: list[FakeServer]
) -> None:
    a, b, _ = servers
    await a.die()
    await b.die()
    with pytest.raises(Unreachable) as caught:
        async with chatroom.connect([a.name, b.name]):
            raise AssertionError
    assert a.name in str(caught.value)
    assert b.name in str(caught.value)


async def test_a_server_that_hangs_is_not_waited_for_where_there_is_another(
    quick_clock: trio.testing.MockClock, servers: list[FakeServer], nursery: trio.Nursery
) -> None:
    silent = FakeRoom()
    silent.mute = True
    await nursery.start(silent.serve)
    silent.before = lambda connection, request: True
    a, b, _ = servers
    places = [a.name, f"127.0.0.1:{silent.port}", b.name]
    async with chatroom.connect(places, resume=True) as room:
        await a.die()
        died = trio.current_time()
        assert (await _back(room)).server == b.name
        assert 2.5 <= trio.current_time() - died < 3.1


async def test_all_gone_is_given_up_in_time(
    quick_clock: trio.testing.MockClock, servers: list[FakeServer]
) -> None:
    places = [server.name for server in servers]
    async with chatroom.connect(places, give_up_seconds=30) as room:
        for server in servers:
            await server.die()
        died = trio.current_time()
        with pytest.raises(RoomClosed):
            await _back(room)
        assert trio.current_time() - died <= 30


async def test_no_server_at_all_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no server"):
        async with chatroom.connect([]):
            raise AssertionError
