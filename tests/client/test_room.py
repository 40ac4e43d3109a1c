"""What a program can rely on, against a room that behaves or misbehaves as it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

import chatroom
from chatroom.client import Connected, Disconnected, Gap, Room
from chatroom.client.errors import (
    NickTaken,
    RoomClosed,
    RoomError,
    TextTooLong,
    Unconfirmed,
    Unreachable,
)
from chatroom.client.reading import IN_A_ROW
from chatroom.client.room import OUTSTANDING
from chatroom.event import Event
from tests.client.fake import FakeConnection, FakeRoom, Line

if TYPE_CHECKING:
    from trio_typing import TaskStatus


async def read(room: Room, count: int) -> list[str]:
    """The next events, in short."""
    with trio.fail_after(30):
        await trio.lowlevel.checkpoint()
        return [short(await room.__anext__()) for _ in range(count)]


def short(item: Event | Gap) -> str:
    return f"{item.first}-{item.last}" if isinstance(item, Gap) else f"{item.seq} {item.text}"


async def test_says_and_hears(fake: FakeRoom) -> None:
    async with chatroom.connect(port=fake.port, nick="alice") as room:
        fake.happen("message", "bob", text="hello")
        assert await room.say("hi") == 2
        assert await room.act("waves") == 3
        assert await room.rename("al") == 4
        assert (room.nick, room.name, room.session) == ("al", "lobby", fake.session)
        assert await room.who() == ["al"]
        assert [short(event) for event in (await room.history(limit=2)).events] == [
            "3 waves",
            "4 ",
        ]
        assert await room.ping() < 10
        assert await read(room, 1) == ["1 hello"]
        statistics = room.statistics()
    assert (statistics.events, statistics.acked, statistics.outstanding) == (1, 3, 0)
    assert fake.connections == []  # gone, after a goodbye


async def test_an_error_has_its_class_and_the_connection_goes_on(fake: FakeRoom) -> None:
    def refuse(connection: FakeConnection, request: Line) -> bool:
        if request.get("text") != "long":
            return False
        error = {"kind": "error", "code": "text_too_long", "text": "9 too many"}
        connection.send({**error, "id": request["id"]})
        return True

    fake.before = refuse
    async with chatroom.connect(port=fake.port) as room:
        with pytest.raises(TextTooLong, match="9 too many") as caught:
            await room.say("long")
        assert caught.value.code == "text_too_long"
        assert await room.say("short") == 1


@pytest.mark.parametrize("code", ["nick_taken", "room_full", "made_up_later"])
async def test_a_refused_hello_raises_what_the_server_says(fake: FakeRoom, code: str) -> None:
    def refuse(connection: FakeConnection, request: Line) -> bool:
        connection.send_raw(b"-- too bad\n")
        connection.send({"kind": "error", "code": code, "text": "no"})
        connection.close()
        return True

    fake.before = refuse
    with pytest.raises(RoomError, match="no") as caught:
        async with chatroom.connect(port=fake.port, nick="alice"):
            pass
    assert caught.value.code == code
    assert isinstance(caught.value, NickTaken) == (code == "nick_taken")


async def test_nobody_there() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    with pytest.raises(Unreachable, match=f"nothing listens at 127.0.0.1:{port}"):
        async with chatroom.connect(port=port):
            pass


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"{nonsense\n", b""])
async def test_somebody_else_there(nursery: trio.Nursery, answer: bytes) -> None:
    async def other(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(answer)
        await stream.aclose()

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, other, [listener])
    with pytest.raises(Unreachable):
        async with chatroom.connect(port=listener.socket.getsockname()[1]):
            pass
    nursery.cancel_scope.cancel()


async def test_a_server_that_never_answers(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    fake.before = lambda connection, request: True
    with pytest.raises(Unreachable, match="no answer"):
        async with chatroom.connect(port=fake.port):
            pass


async def test_what_the_block_raises_comes_out_as_it_is(fake: FakeRoom) -> None:
    with pytest.raises(ZeroDivisionError):
        async with chatroom.connect(port=fake.port):
            raise ZeroDivisionError
    with trio.CancelScope() as scope:
        async with chatroom.connect(port=fake.port):
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    with trio.fail_after(5):
        while fake.connections:
            await trio.testing.wait_all_tasks_blocked()


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


async def test_a_say_cancelled_before_it_was_sent_is_not_said(fake: FakeRoom) -> None:
    async with chatroom.connect(port=fake.port, nick="alice") as room:
        with trio.CancelScope() as scope:
            scope.cancel()
            await room.say("never")
        assert scope.cancelled_caught
        assert await room.say("next") == 1


async def test_a_full_inbox_stops_the_server_until_it_is_read(fake: FakeRoom) -> None:
    async with chatroom.connect(port=fake.port, inbox_limit_bytes=10_000) as room:
        for number in range(5_000):
            fake.happen("message", "bob", text=f"{number:100}")
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert room.statistics().events < 1000
        texts = [(await room.__anext__()).text for _ in range(5_000)]
        assert texts == [f"{number:100}" for number in range(5_000)]
        assert room.statistics().left_out == 0


async def test_an_answer_comes_although_the_inbox_is_full_and_nothing_is_lost(
    fake: FakeRoom,
) -> None:
    async with chatroom.connect(port=fake.port, nick="alice", inbox_limit_bytes=10_000) as room:
        for number in range(5_000):
            fake.happen("message", "bob", text=f"{number}")
        with trio.fail_after(10):
            assert await room.say("hi") == 5_001
        assert room.waiting < 700
        fake.happen("message", "bob", text="last")
        assert [short(await room.__anext__()) for _ in range(5_001)] == [
            *(f"{number + 1} {number}" for number in range(5_000)),
            "5002 last",
        ]
        assert room.statistics().left_out > 4_000


async def test_left_out_events_that_are_no_longer_kept_are_a_gap(fake: FakeRoom) -> None:
    async with chatroom.connect(port=fake.port, nick="alice", inbox_limit_bytes=1_000) as room:
        for number in range(100):
            fake.happen("message", "bob", text=f"{number}")
        await room.say("hi")
        fake.kept_from = 99
        fake.happen("message", "bob", text="last")
        items = [await room.__anext__()]
        while not isinstance(items[-1], Event) or items[-1].text != "last":
            items.append(await room.__anext__())
        *_, gap, before_last, last_of_100, _ = items
        assert isinstance(gap, Gap)
        assert gap.last == 98
        assert (short(before_last), short(last_of_100)) == ("99 98", "100 99")


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
    assert 60 <= trio.current_time() < 76
    assert max(waits[:3]) <= 2 < max(waits)


async def test_lines_of_later_versions_are_passed_over(fake: FakeRoom) -> None:
    async with chatroom.connect(port=fake.port) as room:
        later: list[dict[str, Any]] = [
            {"kind": "weather", "sky": "blue"},
            {"seq": 1, "time": "t", "kind": "topic", "nick": "bob", "text": "x"},
            {"seq": 2, "time": "t", "kind": "poll", "votes": [1, 2]},
            {"kind": "message", "nick": "bob", "text": "a", "time": "t", "seq": 3, "mood": "😀"},
        ]
        for line in later:
            fake.connections[0].send(line)
        assert await read(room, 1) == ["3 a"]
        assert room.seq == 3


async def test_a_line_that_is_none_breaks_the_connection_and_resuming_mends_it(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    async with chatroom.connect(port=fake.port, resume=True) as room:
        fake.connections[0].send_raw(b'{"seq":1,"time":"t","kind":"mess\xffge"\n')
        fake.log.append({"seq": 1, "time": "t", "kind": "message", "nick": "bob", "text": "a"})
        assert await read(room, 1) == ["1 a"]
        assert room.statistics().reconnects == 1


async def test_only_one_task_reads(fake: FakeRoom, nursery: trio.Nursery) -> None:
    async with chatroom.connect(port=fake.port) as room:
        await room.next_item()
        async with trio.open_nursery() as readers:
            readers.start_soon(read, room, 1)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(trio.BusyResourceError):
                await room.next_item()
            fake.happen("message", "bob", text="a")


async def test_a_cancelled_read_takes_nothing(fake: FakeRoom) -> None:
    async with chatroom.connect(port=fake.port) as room:
        await room.next_item()
        for number in range(IN_A_ROW + 2):
            with trio.CancelScope() as scope:
                scope.cancel()
                await room.next_item()
            fake.happen("message", "bob", text=f"{number}")
            assert await read(room, 1) == [f"{number + 1} {number}"]


async def test_a_program_that_only_talks_keeps_nothing(fake: FakeRoom) -> None:
    async with chatroom.connect(port=fake.port, receive=False) as room:
        for number in range(1000):
            fake.happen("message", "bob", text=f"{number}")
        await room.say("hi")
        assert (room.waiting, room.statistics().events) == (0, 1000)


async def test_too_many_on_their_way(quick_clock: trio.testing.MockClock, fake: FakeRoom) -> None:
    fake.before = lambda connection, request: request["kind"] == "message"
    async with chatroom.connect(port=fake.port) as room:
        for _ in range(OUTSTANDING):
            room.say_nowait("x")
        with pytest.raises(trio.WouldBlock):
            room.say_nowait("x")
        with trio.move_on_after(0.01) as scope:
            await room.say("x")
        assert scope.cancelled_caught


async def test_guests_come_back_by_their_token(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    async with chatroom.connect(port=fake.port, resume=True) as room:
        await fake.connections[0].cut()
        await read_until_back(room)
    assert "nick" not in fake.hellos[1]
    assert fake.hellos[1]["token"] == "t"
