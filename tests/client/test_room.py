"""What a program can rely on, against a room that behaves or misbehaves as it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

import chatroom
from chatroom.client import Gap
from chatroom.client.errors import (
    NickTaken,
    RoomError,
    TextTooLong,
    Unreachable,
)
from chatroom.client.pending import OUTSTANDING
from chatroom.client.reading import IN_A_ROW
from chatroom.event import Event
from tests.client.fake import FakeConnection, FakeRoom, Line
from tests.client.reading import read, short

if TYPE_CHECKING:
    pass


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


async def test_searches(fake: FakeRoom) -> None:
    requests: list[Line] = []

    def note(connection: FakeConnection, request: Line) -> bool:
        requests.append(request)
        return False

    fake.before = note
    async with chatroom.connect(port=fake.port, nick="alice") as room:
        for text in ["deploy 1", "lunch", "deploy 2", "deploy 3"]:
            await room.say(text)
        page = await room.search("deploy", limit=2)
        assert ([short(event) for event in page.events], page.more) == (
            ["3 deploy 2", "4 deploy 3"],
            True,
        )
        page = await room.search("deploy", before=3)
        assert ([short(event) for event in page.events], page.more) == (["1 deploy 1"], False)
    sent = {"kind": "search", "text": "deploy", "limit": 50, "before": 3}
    assert sent.items() <= next(r for r in requests if "before" in r).items()


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
    with trio.fail_after(30):
        while fake.connections:
            await trio.testing.wait_all_tasks_blocked()


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
        with trio.fail_after(30):
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


async def test_lines_of_later_versions_are_passed_over(fake: FakeRoom) -> None:
    async with chatroom.connect(port=fake.port) as room:
        later: list[dict[str, Any]] = [
            {"kind": "weather", "sky": "blue"},
            {"seq": 1, "time": "t", "kind": "weather", "nick": "bob", "text": "x"},
            {"seq": 2, "time": "t", "kind": "poll", "votes": [1, 2]},
            {"kind": "message", "nick": "bob", "text": "a", "time": "t", "seq": 3, "mood": "😀"},
        ]
        for line in later:
            fake.connections[0].send(line)
        assert await read(room, 1) == ["3 a"]
        assert room.seq == 3


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
