"""Servers that come and go: how often a client tries, and when it gives up."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
import trio.testing

import chatroom
from chatroom.client import Room
from chatroom.client.backoff import LONGEST_SECONDS, STEADY_SECONDS, Outage
from chatroom.client.errors import RoomClosed, RoomError
from tests.client.fake import FakeConnection, FakeRoom, Line


def close_at_once(fake: FakeRoom) -> None:
    def refuse(connection: FakeConnection, request: Line) -> bool:
        connection.close()
        return True

    fake.before = refuse


def close_after_the_welcome(fake: FakeRoom) -> None:
    fake.entered = FakeConnection.close


def close_after_some_events(fake: FakeRoom) -> None:
    def talk(connection: FakeConnection) -> None:
        for text in "abc":
            fake.happen("message", "bob", text=text)
        connection.close()

    fake.entered = talk


def close_after_some_seconds(fake: FakeRoom) -> None:
    def close_later(connection: FakeConnection) -> None:
        trio.lowlevel.spawn_system_task(close_in, connection, 0.05)

    fake.entered = close_later


async def close_in(connection: FakeConnection, seconds: float) -> None:
    await trio.sleep(seconds)
    connection.close()


FLAPPING = [
    close_at_once,
    close_after_the_welcome,
    close_after_some_events,
    close_after_some_seconds,
]
Flap = Callable[[FakeRoom], None]


@pytest.mark.parametrize("flap", FLAPPING)
async def test_a_server_that_drops_everybody_is_tried_ever_less(
    quick_clock: trio.testing.MockClock, fake: FakeRoom, flap: Flap
) -> None:
    """31 times in 8 seconds it was; with bounds of 0.5, 1, 2, 4, 8, 15, 15, … it is 6 in mean."""
    async with chatroom.connect(port=fake.port, nick="alice", resume=True) as room:
        flap(fake)
        fake.connections[0].close()
        with trio.move_on_after(60):
            await room.say("hi")
        assert len(fake.hellos) < 40
        assert room.statistics().outstanding <= 1
        flapping = len(fake.hellos)
        await trio.sleep(600)
        assert len(fake.hellos) - flapping < 600 / LONGEST_SECONDS * 4


async def listen_to_the_end(room: Room) -> None:
    while True:
        await room.next_item()


@pytest.mark.parametrize("flap", FLAPPING)
@pytest.mark.parametrize("give_up_seconds", [0.1, 0.5, 2.0, 5.0])
async def test_a_server_that_drops_everybody_is_given_up_in_time(
    quick_clock: trio.testing.MockClock, fake: FakeRoom, flap: Flap, give_up_seconds: float
) -> None:
    connection = chatroom.connect(
        port=fake.port, nick="alice", resume=True, give_up_seconds=give_up_seconds
    )
    async with connection as room:
        flap(fake)
        began = trio.current_time()
        fake.connections[0].close()
        with pytest.raises(RoomClosed):
            await listen_to_the_end(room)
        held_seconds = 0.05 if flap is close_after_some_seconds else 0.0
        assert trio.current_time() - began <= give_up_seconds + held_seconds + 1e-6
        assert len(fake.hellos) >= 2  # it has tried


@pytest.mark.parametrize("give_up_seconds", [0.1, 2.0, 5.0, 30.0])
async def test_a_server_that_hangs_is_given_up_in_time(
    quick_clock: trio.testing.MockClock, fake: FakeRoom, give_up_seconds: float
) -> None:
    async with chatroom.connect(port=fake.port, give_up_seconds=give_up_seconds) as room:
        began = trio.current_time()
        fake.before = lambda connection, request: True
        fake.connections[0].close()
        with pytest.raises(RoomClosed):
            await listen_to_the_end(room)
        assert trio.current_time() - began <= give_up_seconds + 1e-6


async def test_what_a_dying_connection_asks_for_itself_is_not_asked_again(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    """Looking for a statement that got no ack, and asking for a sign of life."""
    asked: list[str] = []

    def break_at_each(connection: FakeConnection, request: Line) -> bool:
        asked.append(request["kind"])
        if request["kind"] in ("message", "history") and len(asked) < 20:
            if request["kind"] == "message":
                fake.happen("message", "bob", text="behind")
            connection.close()
            return True
        return False

    fake.before = break_at_each
    async with chatroom.connect(port=fake.port, nick="alice") as room:
        assert await room.say("hi") > 0
        assert room.statistics().outstanding == 0
    assert asked.count("history") <= asked.count("hello")


async def test_a_ping_that_was_not_answered_is_not_sent_on_the_next_connection(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    entered_at = 0.0
    waits: list[float] = []

    def break_at_a_ping(connection: FakeConnection, request: Line) -> bool:
        nonlocal entered_at
        if request["kind"] == "hello":
            entered_at = trio.current_time()
        if request["kind"] == "ping":
            waits.append(trio.current_time() - entered_at)
            connection.close()
        return bool(request["kind"] == "ping")

    fake.before = break_at_a_ping
    async with chatroom.connect(port=fake.port, heartbeat_seconds=5.0) as room:
        await trio.sleep(60)
        assert len(waits) > 3
        assert min(waits) >= 4.9
        assert room.statistics().outstanding <= 1


def test_a_connection_that_held_ends_an_outage() -> None:
    outage = Outage(30.0)
    outage.broke(100.0, held_seconds=500.0)
    first = [outage.next_delay(100.0) for _ in range(9)]
    assert max(delay for delay in first[5:] if delay is not None) > 1
    outage.broke(105.0, held_seconds=3.0)
    assert outage.give_up_at == 130.0
    outage.broke(140.0, held_seconds=STEADY_SECONDS)
    assert outage.give_up_at == 170.0
    fresh = outage.next_delay(140.0)
    assert fresh is not None
    assert fresh <= 0.5
    assert outage.next_delay(170.0) is None


def test_the_last_try_is_in_time_to_succeed() -> None:
    for _ in range(20):
        outage = Outage(2.0)
        outage.broke(0.0, held_seconds=60.0)
        now, delay = 0.0, outage.next_delay(0.0)
        while delay is not None:
            now += delay
            delay = outage.next_delay(now)
        assert now == pytest.approx(1.0)


async def test_leaving_in_an_outage_waits_for_what_was_queued(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    async with chatroom.connect(port=fake.port, nick="alice", resume=True) as room:
        fake.connections[0].close()
        while room.connected:
            await room.next_item()
        receipt = room.say_nowait("hi")
    assert await receipt.wait() == 1
    assert [event["text"] for event in fake.log] == ["hi"]


async def test_an_outage_that_ends_for_good_tells_everybody(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    def refuse(connection: FakeConnection, request: Line) -> bool:
        connection.send({"kind": "error", "code": "nick_invalid", "text": "not any more"})
        connection.close()
        return True

    async with chatroom.connect(port=fake.port, nick="alice", resume=True) as room:
        fake.before = refuse
        fake.connections[0].close()
        while room.connected:
            await room.next_item()
        with pytest.raises(RoomError, match="not any more"):
            await room.say("hi")
