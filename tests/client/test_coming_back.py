"""Broken connections, and what a program sees of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

import chatroom
from chatroom.client import Connected, Disconnected, Room
from chatroom.client.errors import (
    RoomClosed,
    Unconfirmed,
)
from tests.client.fake import FakeConnection, FakeRoom, Line
from tests.client.reading import read

if TYPE_CHECKING:
    from trio_typing import TaskStatus


async def test_resuming_misses_nothing_and_repeats_nothing(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    async with chatroom.connect(port=fake.port, nick="alice", resume=True) as room:
        fake.happen("message", "bob", text="a")
        assert await read(room, 1) == ["1 a"]
        await fake.connections[0].cut()
        fake.happen("message", "bob", text="b")
        assert await read(room, 1) == ["2 b"]
        fake.happen("message", "bob", text="c")
        assert await read(room, 1) == ["3 c"]
    assert fake.hellos[1] == {
        "presence": True, "echo": False, "nick": "alice", "token": "t",
        "after": 1, "session": fake.session,
    }  # fmt: skip


async def test_without_resuming_what_was_missed_is_a_gap(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    async with chatroom.connect(port=fake.port) as room:
        fake.happen("message", "bob", text="a")
        assert await read(room, 1) == ["1 a"]
        await fake.connections[0].cut()
        fake.happen("message", "bob", text="b")
        fake.happen("message", "bob", text="c")
        await read_until_back(room)
        fake.happen("message", "bob", text="d")
        assert await read(room, 2) == ["2-3", "4 d"]


async def test_what_the_server_no_longer_has_is_a_gap(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    async with chatroom.connect(port=fake.port, resume=True) as room:
        await fake.connections[0].cut()
        for text in "abcd":
            fake.happen("message", "bob", text=text)
        fake.kept_from = 3
        assert await read(room, 3) == ["1-2", "3 c", "4 d"]


async def test_a_new_log_is_told_and_read_from_its_beginning(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    async with chatroom.connect(port=fake.port, resume=True) as room:
        for text in "abc":
            fake.happen("message", "bob", text=text)
        assert await read(room, 3) == ["1 a", "2 b", "3 c"]
        await fake.connections[0].cut()
        fake.log.clear()
        fake.session = "FAKE000002"
        fake.happen("message", "bob", text="new")
        back = await read_until_back(room)
        assert back.new_log
        assert await read(room, 1) == ["1 new"]


@pytest.mark.parametrize("heard", [True, False])
async def test_a_new_session_of_the_same_log_goes_on(
    quick_clock: trio.testing.MockClock, fake: FakeRoom, heard: bool
) -> None:
    """As after a crash of a server that keeps a journal."""

    def crash(connection: FakeConnection, request: Line) -> bool:
        if request["kind"] != "message":
            return False
        fake.before = lambda connection, request: False
        if heard:
            fake.happen("message", "alice", text=request["text"])
        fake.earlier_sessions, fake.session = [fake.session], "FAKE000002"
        connection.close()
        return True

    async with chatroom.connect(port=fake.port, nick="alice", resume=True) as room:
        fake.happen("message", "bob", text="a")
        assert await read(room, 1) == ["1 a"]
        fake.before = crash
        assert await room.say("hi") == 2
        fake.happen("message", "bob", text="b")
        assert await read(room, 1) == ["3 b"]
        assert room.session == "FAKE000002"
    assert len(fake.log) == 3


async def read_until_back(room: Room) -> Connected:
    async for item in room.items():
        if isinstance(item, Connected) and item.again:
            return item
    raise AssertionError("the room ended")


async def test_a_gap_that_the_server_tells_comes_in_its_place(fake: FakeRoom) -> None:
    async with chatroom.connect(port=fake.port, resume=True) as room:
        fake.happen("message", "bob", text="a")
        fake.connections[0].send({"kind": "gap", "from": 2, "to": 9})
        fake.connections[0].send({**fake.log[0], "seq": 10, "text": "b"})
        assert await read(room, 3) == ["1 a", "2-9", "10 b"]
        assert room.statistics().missed == 8


@pytest.mark.parametrize("heard", [True, False])
async def test_a_statement_without_ack_is_said_once_whatever_happened(
    quick_clock: trio.testing.MockClock, fake: FakeRoom, heard: bool
) -> None:
    """The connection breaks before the ack; another's message is behind the lost one."""

    def swallow(connection: FakeConnection, request: Line) -> bool:
        if request["kind"] != "message":
            return False
        fake.before = lambda connection, request: False
        if heard:
            fake.happen("message", "alice", text=request["text"])
        fake.happen("message", "bob", text="behind")
        connection.close()
        return True

    fake.happen("message", "alice", text="hi")  # the same text, before
    fake.before = swallow
    async with chatroom.connect(port=fake.port, nick="alice", resume=True) as room:
        assert await room.say("hi") == (2 if heard else 3)
        assert (await read(room, 1))[0].endswith("behind")
        assert await room.say("done") == 4
        assert room.waiting == 2  # the loss and the return; one's own words are not among them
    said = [event["text"] for event in fake.log if event["nick"] == "alice"]
    assert said == ["hi", "hi", "done"]


async def test_many_in_flight_keep_their_order_over_a_break(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    texts = [str(number % 3) for number in range(40)]
    countdown = iter(range(1000))

    def break_often(connection: FakeConnection, request: Line) -> bool:
        if request["kind"] != "message" or next(countdown) % 7 != 6:
            return False
        fake.happen("message", "alice", text=request["text"])
        connection.close()  # acks that were sent before arrive; this one was not sent
        return True

    fake.before = break_often
    async with chatroom.connect(port=fake.port, nick="alice", resume=True) as room:
        receipts = [room.say_nowait(text) for text in texts]
        seqs = [await receipt.wait() for receipt in receipts]
    assert seqs == list(range(1, 41))
    assert [event["text"] for event in fake.log] == texts


async def test_unconfirmed_when_the_history_cannot_tell(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    def restart(connection: FakeConnection, request: Line) -> bool:
        if request["kind"] != "message":
            return False
        fake.before = lambda connection, request: False
        fake.session = "FAKE000002"
        connection.close()
        return True

    fake.before = restart
    async with chatroom.connect(port=fake.port, nick="alice", resume=True) as room:
        with pytest.raises(Unconfirmed):
            await room.say("hi")
        assert await room.say("again") == 1


async def test_a_silent_server_is_noticed(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    async with chatroom.connect(port=fake.port, reconnect=False) as room:
        fake.mute = True
        with pytest.raises(Unconfirmed):
            await room.say("hello?")
        with pytest.raises(RoomClosed, match="silent for 30 s") as caught:
            await read(room, 1)
        assert caught.value.code == "lost"
    assert trio.current_time() > 29


async def test_a_server_that_answers_pings_is_not_given_up(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    async with chatroom.connect(port=fake.port, reconnect=False) as room:
        await trio.sleep(200)
        assert room.connected
        assert await room.say("hi") == 1


@pytest.mark.parametrize("reason", ["kicked", "replaced", "flood"])
async def test_a_farewell_for_good(fake: FakeRoom, reason: str) -> None:
    async with chatroom.connect(port=fake.port, resume=True) as room:
        fake.happen("message", "bob", text="a")
        fake.connections[0].send({"kind": "bye", "reason": reason, "text": "go away"})
        fake.connections[0].close()
        assert await read(room, 1) == ["1 a"]
        with pytest.raises(RoomClosed, match="go away") as caught:
            await read(room, 1)
        assert caught.value.code == reason
        with pytest.raises(RoomClosed):
            room.say_nowait("hello?")


def refuse_once(fake: FakeRoom, *lines: Line) -> None:
    """The next hello is answered by these lines, and the connection closed."""

    def refuse(connection: FakeConnection, request: Line) -> bool:
        fake.before = lambda connection, request: False
        for line in lines:
            connection.send(line)
        connection.close()
        return True

    fake.before = refuse


@pytest.mark.parametrize(
    "code",
    [
        "too_many_connections",
        "unavailable",
        "history_unavailable",
        "room_full",
        "nick_taken",
        "too_fast",
    ],
)
async def test_a_refusal_that_may_pass_does_not_keep_one_from_coming_back(
    quick_clock: trio.testing.MockClock, fake: FakeRoom, code: str
) -> None:
    async with chatroom.connect(port=fake.port, nick="alice", resume=True) as room:
        refuse_once(fake, {"kind": "error", "code": code, "text": "not now"})
        await fake.connections[0].cut()
        assert await room.say("here again") == 1
    assert len(fake.hellos) == 3


async def test_who_was_too_slow_to_come_in_again_tries_once_more(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    async with chatroom.connect(port=fake.port, resume=True) as room:
        refuse_once(fake, {"kind": "bye", "reason": "idle", "text": "no log-in in time"})
        await fake.connections[0].cut()
        assert await room.say("here again") == 1


async def test_a_refusal_for_good_ends_it(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    async with chatroom.connect(port=fake.port, resume=True) as room:
        refuse_once(fake, {"kind": "error", "code": "banned", "text": "stay away"})
        await fake.connections[0].cut()
        with pytest.raises(RoomClosed, match="stay away") as caught:
            await read(room, 1)
    assert (caught.value.code, len(fake.hellos)) == ("banned", 2)


async def test_a_shutdown_ends_the_iteration_of_who_does_not_come_back(fake: FakeRoom) -> None:
    async with chatroom.connect(port=fake.port, reconnect=False) as room:
        fake.happen("message", "bob", text="a")
        fake.connections[0].send({"kind": "bye", "reason": "shutdown", "text": "good night"})
        fake.connections[0].close()
        assert [event.text async for event in room] == ["a"]


async def collect_waits(room: Room, waits: list[float]) -> None:
    async for item in room.items():
        if isinstance(item, Disconnected):
            waits.append(item.retry_seconds)  # noqa: PERF401  # it ends by an exception


async def test_gives_up_after_the_time_it_was_given(
    quick_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    fake = FakeRoom()
    server = trio.CancelScope()

    async def serve(*, task_status: TaskStatus[None]) -> None:
        with server:
            async with trio.open_nursery() as tasks:
                await tasks.start(fake.serve)
                task_status.started()

    await nursery.start(serve)
    waits: list[float] = []
    async with chatroom.connect(port=fake.port, resume=True, give_up_seconds=60) as room:
        server.cancel()
        with pytest.raises(RoomClosed, match="nothing listens"):
            await collect_waits(room, waits)
    assert 59 <= trio.current_time() <= 60
    assert max(waits[:3]) <= 2 < max(waits)


async def test_a_line_that_is_none_breaks_the_connection_and_resuming_mends_it(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    async with chatroom.connect(port=fake.port, resume=True) as room:
        fake.connections[0].send_raw(b'{"seq":1,"time":"t","kind":"mess\xffge"\n')
        fake.log.append({"seq": 1, "time": "t", "kind": "message", "nick": "bob", "text": "a"})
        assert await read(room, 1) == ["1 a"]
        assert room.statistics().reconnects == 1


async def test_guests_come_back_by_their_token(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    async with chatroom.connect(port=fake.port, resume=True) as room:
        await fake.connections[0].cut()
        await read_until_back(room)
    assert "nick" not in fake.hellos[1]
    assert fake.hellos[1]["token"] == "t"


async def test_a_cancelled_say_is_never_said_twice(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    taken = trio.Event()

    def swallow(connection: FakeConnection, request: Line) -> bool:
        taken.set()
        return bool(request["kind"] == "message" and request["text"] == "hi")

    fake.before = swallow
    async with chatroom.connect(port=fake.port, nick="alice", resume=True) as room:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(room.say, "hi")
            await taken.wait()
            nursery.cancel_scope.cancel()
        await fake.connections[0].cut()
        assert await room.say("next") == 1
    assert [event["text"] for event in fake.log] == ["next"]
