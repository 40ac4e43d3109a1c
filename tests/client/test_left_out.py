"""Events that did not fit the inbox, when they are fetched in difficult times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
import trio.testing

import chatroom
from chatroom.client import Connected, Disconnected, Gap, Room
from chatroom.event import Event

if TYPE_CHECKING:
    from tests.client.fake import FakeConnection, FakeRoom, Line


async def fill(fake: FakeRoom, room: Room) -> None:
    """So many events that most are left out."""
    for number in range(300):
        fake.happen("message", "bob", text=f"old {number}")
    await room.ping()


async def read_until(room: Room, text: str) -> list[str]:
    items: list[str] = []
    with trio.fail_after(300):
        async for item in room.items():
            match item:
                case Gap():
                    items.append(f"gap {item.first}-{item.last}")
                case Event():
                    items.append(item.text)
                    if item.text == text:
                        break
                case Connected() | Disconnected():
                    items.append(item.kind)
                case _:
                    pass
    return items


def begin_another_log(fake: FakeRoom) -> None:
    fake.log.clear()
    fake.session = "FAKE000002"
    for number in range(250):
        fake.happen("message", "bob", text=f"new {number}")


def whole_story(items: list[str], kept: int) -> None:
    """All of the old log, or its hole, before the loss; all of the new one once, behind it."""
    assert items[0] == "connected"
    assert items[1 : kept + 1] == [f"old {number}" for number in range(kept)]
    assert items[kept + 1 : kept + 3] == [f"gap {kept + 1}-300", "disconnected"]
    assert items[kept + 3] == "connected"
    assert items[kept + 4 :] == [f"new {number}" for number in range(250)]


async def test_another_log_is_not_taken_for_what_was_left_out_of_the_last(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    async with chatroom.connect(port=fake.port, resume=True, inbox_limit_bytes=10_000) as room:
        await fill(fake, room)
        begin_another_log(fake)
        await fake.connections[0].cut()
        await room.ping()
        assert room.session == fake.session
        items = await read_until(room, "new 249")
    whole_story(items, sum(item.startswith("old") for item in items))


async def test_another_log_that_begins_while_a_page_is_on_its_way(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    def restart(connection: FakeConnection, request: Line) -> bool:
        if request["kind"] != "history":
            return False
        fake.before = lambda connection, request: False
        begin_another_log(fake)
        connection.close()
        return True

    async with chatroom.connect(port=fake.port, resume=True, inbox_limit_bytes=10_000) as room:
        await fill(fake, room)
        fake.before = restart
        items = await read_until(room, "new 249")
    whole_story(items, sum(item.startswith("old") for item in items))


async def test_a_refusal_that_passes_is_no_hole(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    codes = iter(["too_fast", "history_unavailable"])

    def refuse(connection: FakeConnection, request: Line) -> bool:
        code = next(codes, None) if request["kind"] == "history" else None
        if code is not None:
            error = {"kind": "error", "code": code, "text": "not now", "id": request["id"]}
            connection.send(error)
        return code is not None

    async with chatroom.connect(port=fake.port, inbox_limit_bytes=10_000) as room:
        await fill(fake, room)
        fake.before = refuse
        items = await read_until(room, "old 299")
    assert items == ["connected", *(f"old {number}" for number in range(300))]
    assert next(codes, None) is None


async def test_a_refusal_that_stays_is_told_as_a_hole(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    def refuse(connection: FakeConnection, request: Line) -> bool:
        if request["kind"] != "history":
            return False
        error = {"kind": "error", "code": "history_unavailable", "text": "no", "id": request["id"]}
        connection.send(error)
        return True

    async with chatroom.connect(port=fake.port, inbox_limit_bytes=10_000) as room:
        await fill(fake, room)
        fake.before = refuse
        began = trio.current_time()
        fake.happen("message", "bob", text="the end")
        items = await read_until(room, "the end")
        assert trio.current_time() - began > 40
    kept = sum(item.startswith("old") for item in items)
    assert items[kept + 1 :] == [f"gap {kept + 1}-300", "the end"]


async def test_ones_own_words_are_not_fetched_whatever_one_was_called(fake: FakeRoom) -> None:
    connection = chatroom.connect(port=fake.port, nick="alice", inbox_limit_bytes=10_000)
    async with connection as room:
        await fill(fake, room)
        await room.say("as alice")
        await room.rename("al")
        await room.say("as al")
        await room.rename("alan")
        fake.happen("message", "bob", text="between")
        await room.ping()
        fake.happen("message", "bob", text="the end")
        items = await read_until(room, "the end")
    old = [f"old {number}" for number in range(300)]
    assert items == ["connected", *old, "between", "the end"]


async def test_cancelled_while_it_waits_for_a_page_it_is_fetched_later(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    async with chatroom.connect(port=fake.port, inbox_limit_bytes=10_000) as room:
        await fill(fake, room)
        fake.before = lambda connection, request: request["kind"] == "history"
        items: list[str] = []
        with trio.move_on_after(10):
            async for event in room:
                items.append(event.text)  # noqa: PERF401  # it ends by the cancellation
        assert 0 < len(items) < 300
        fake.before = lambda connection, request: False
        items += await read_until(room, "old 299")
    assert items == [f"old {number}" for number in range(300)]
