"""Thousands of requests at once: everybody has a turn, and is told of the end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

import chatroom
from chatroom.client.errors import RoomClosed, RoomError, Unconfirmed
from chatroom.client.pending import OUTSTANDING

if TYPE_CHECKING:
    from tests.client.fake import FakeConnection, FakeRoom, Line

MORE = OUTSTANDING + 900


def silent(connection: FakeConnection, request: Line) -> bool:
    return bool(request["kind"] == "message")


async def test_more_tasks_than_may_be_outstanding_all_say_their_line(fake: FakeRoom) -> None:
    async with chatroom.connect(port=fake.port, nick="alice") as room:
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                for number in range(MORE):
                    nursery.start_soon(room.say, str(number))
        assert room.statistics().outstanding == 0
    assert sorted(int(event["text"]) for event in fake.log) == list(range(MORE))


async def test_a_say_behind_a_full_house_has_its_turn(fake: FakeRoom) -> None:
    async with chatroom.connect(port=fake.port, nick="alice") as room:
        for number in range(OUTSTANDING):
            room.say_nowait(str(number))
        with pytest.raises(trio.WouldBlock):
            room.say_nowait("one too many")
        with trio.fail_after(30):
            assert await room.say("last") == OUTSTANDING + 1
            assert await room.who() == ["alice"]
            await room.ping()
        room.say_nowait("there is a place again")


async def test_waiters_that_are_cancelled_keep_no_place(fake: FakeRoom) -> None:
    fake.before = silent
    async with chatroom.connect(port=fake.port, nick="alice") as room:
        receipts = [room.say_nowait("x") for _ in range(OUTSTANDING)]
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(room.say, "never")
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        fake.before = lambda connection, request: False
        for number in range(OUTSTANDING):
            fake.connections[0].send({"kind": "ack", "id": str(number + 1), "seq": number + 1})
        with trio.fail_after(30):
            for receipt in receipts:
                await receipt.wait()
            for _ in range(OUTSTANDING):
                room.say_nowait("y")
        with pytest.raises(trio.WouldBlock):
            room.say_nowait("y")


async def test_the_end_wakes_whoever_waits_for_a_place(fake: FakeRoom) -> None:
    fake.before = silent
    ended: list[type[RoomError]] = []

    async def say(room: chatroom.client.Room) -> None:
        try:
            await room.say("x")
        except RoomError as error:
            ended.append(type(error))

    async with chatroom.connect(port=fake.port, nick="alice", reconnect=False) as room:
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                for _ in range(2 * OUTSTANDING + 10):
                    nursery.start_soon(partial(say, room))
                await trio.testing.wait_all_tasks_blocked()
                await fake.connections[0].cut()
    assert ended.count(Unconfirmed) == OUTSTANDING
    assert ended.count(RoomClosed) == OUTSTANDING + 10


async def test_two_breaks_in_a_row_free_no_place_twice(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    fake.before = silent
    async with chatroom.connect(port=fake.port, nick="alice", resume=True) as room:
        receipts = [room.say_nowait(str(number)) for number in range(OUTSTANDING)]
        for _ in range(2):
            while not fake.connections:
                await trio.sleep(0.1)
            await fake.connections[0].cut()
            await trio.sleep(1)
        with pytest.raises(trio.WouldBlock):
            room.say_nowait("x")
        fake.before = lambda connection, request: False
        await trio.sleep(5)
        await fake.connections[0].cut()
        seqs = [await receipt.wait() for receipt in receipts]
        assert seqs == list(range(1, OUTSTANDING + 1))
    assert [event["text"] for event in fake.log] == [str(seq - 1) for seq in seqs]
