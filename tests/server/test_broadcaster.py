"""One order, by whichever path a draft takes, also when its submitter is cancelled."""

from __future__ import annotations

from functools import partial

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from chatroom.event import CloseReason
from chatroom.protocol.requests import Draft, Ending, Request
from chatroom.server.turn.broadcaster import Broadcaster
from chatroom.server.turn.inlet import Inlet, Read
from tests.server.paper import PaperRoom, enters

#: What a talker does: say so many lines in one read, pause or not before, be cancelled or not.
reads = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2), st.booleans()), max_size=12)


@given(st.lists(reads, min_size=1, max_size=6), st.sampled_from([1, 2, 1024]))
async def test_each_talkers_words_stay_in_order_and_all_readers_see_the_same(
    talkers: list[list[tuple[int, int, bool]]], channel_reads: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chatroom.server.turn.inlet.CHANNEL_READS", channel_reads)
        patch.setattr("chatroom.server.turn.inlet.BATCH_READS", max(2, channel_reads // 2))
        room = PaperRoom(len(talkers) + 1)
        await _talk_all(room, talkers)
    _assert_one_order(room, talkers)


async def test_nothing_overtakes_what_waits_in_the_channel() -> None:
    """Trio runs the tasks of one turn of its loop in either order: with fifty rooms, in both."""
    talkers = [[(1, 0, False), (1, 0, False), (1, 1, False)] * 4] * 2
    for _ in range(50):
        room = PaperRoom(3)
        await _talk_all(room, talkers)
        _assert_one_order(room, talkers)


async def test_what_waits_is_counted_until_it_has_been_dealt_with(
    monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
) -> None:
    monkeypatch.setattr("chatroom.server.turn.inlet.BATCH_READS", 2)
    inlet, waiting = Inlet(), []
    for _ in range(5):
        await inlet.put(Read(None, (), None))
    broadcaster = Broadcaster(inlet, lambda batch: waiting.append(inlet.waiting))
    await nursery.start(broadcaster.run)
    await trio.testing.wait_all_tasks_blocked()
    assert waiting == [5, 3, 1]
    assert inlet.waiting == 0


def _assert_one_order(room: PaperRoom, talkers: list[list[tuple[int, int, bool]]]) -> None:
    said = [event for event in room.journal.recent.after(0, 1 << 20) if event.kind == "message"]
    for who, doings in enumerate(talkers):
        expected = sum(count for count, _, _ in doings)
        mine = [event.text for event in said if event.nick == f"n{who}"]
        assert mine == [str(number) for number in range(expected)]
    everything = [f"{event.nick}: {event.text}" for event in said]
    for who in range(len(room.connections)):
        heard = [line for line in room.lines(who) if not line.startswith("-- ")]
        assert heard == [line for line in everything if not line.startswith(f"n{who}: ")]


async def _talk_all(room: PaperRoom, talkers: list[list[tuple[int, int, bool]]]) -> None:
    broadcaster = room.parts.broadcaster
    async with trio.open_nursery() as nursery:
        await nursery.start(broadcaster.run)
        for who, connection in enumerate(room.connections):
            await broadcaster.submit(connection, enters(f"n{who}"))
        async with trio.open_nursery() as talk:
            for who, doings in enumerate(talkers):
                talk.start_soon(_talk, room, who, doings)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()


async def _talk(room: PaperRoom, who: int, doings: list[tuple[int, int, bool]]) -> None:
    number = 0
    for count, pauses, cancelled in doings:
        for _ in range(pauses):
            await trio.lowlevel.checkpoint()
        drafts: list[Draft] = [Request("message", str(number + more)) for more in range(count)]
        number += count
        with trio.CancelScope() as scope:
            if cancelled:
                scope.cancel()
            await room.parts.broadcaster.submit(room.connections[who], drafts)


@pytest.mark.parametrize("busy", [False, True])
async def test_a_query_is_answered_before_the_next_thing_is_read(
    nursery: trio.Nursery, busy: bool
) -> None:
    room = PaperRoom(2)
    broadcaster = room.parts.broadcaster
    await nursery.start(broadcaster.run)
    asker, other = room.connections
    await broadcaster.submit(asker, enters("asker"))
    await broadcaster.submit(other, enters("other"))
    await trio.testing.wait_all_tasks_blocked()
    for _ in range(5):
        if busy:  # then the question goes through the channel
            await broadcaster.submit(other, [Request("message", "hi")])
        before = len(room.lines(0))
        await room.parts.intake.take(asker, [Request("history", limit=1)])
        assert [line for line in room.lines(0)[before:] if "last 1 events" in line]


async def test_while_a_long_answer_is_made_others_have_their_turn(nursery: trio.Nursery) -> None:
    room = PaperRoom(2)
    broadcaster = room.parts.broadcaster
    await nursery.start(broadcaster.run)
    asker, other = room.connections
    await broadcaster.submit(asker, enters("asker"))
    await broadcaster.submit(other, enters("other"))
    for number in range(300):
        await broadcaster.submit(other, [Request("message", f"{number} a\u0301")])
    await trio.testing.wait_all_tasks_blocked()
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    nursery.start_soon(count_turns)
    before, turns_before = len(room.lines(0)), turns
    await room.parts.intake.take(asker, [Request("history", limit=200)])
    assert len(room.lines(0)) - before == 201
    assert turns - turns_before >= 10
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("busy", [False, True])
async def test_an_ending_is_through_when_it_has_been_submitted(
    nursery: trio.Nursery, busy: bool
) -> None:
    room = PaperRoom(2)
    broadcaster = room.parts.broadcaster
    await nursery.start(broadcaster.run)
    for who in (0, 1):
        await broadcaster.submit(room.connections[who], enters(f"n{who}"))
    await trio.testing.wait_all_tasks_blocked()
    if busy:
        await broadcaster.submit(room.connections[1], [Request("message", "hi")])
    await broadcaster.submit(room.connections[0], [Ending(CloseReason.QUIT, "")])
    assert room.lines(0)[-1] == "-- bye (quit): see you"


async def test_a_full_channel_holds_the_talker_up_and_loses_nothing(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatroom.server.turn.inlet.CHANNEL_READS", 3)
    room = PaperRoom(2)
    broadcaster = room.parts.broadcaster
    await nursery.start(broadcaster.run)
    talker = room.connections[0]
    await broadcaster.submit(talker, enters("talker"))
    finished: list[int] = []

    async def talk(number: int) -> None:
        await broadcaster.submit(talker, [Request("message", str(number))])
        finished.append(number)

    async with trio.open_nursery() as talk_nursery:
        for number in range(50):
            talk_nursery.start_soon(partial(talk, number))
    await trio.testing.wait_all_tasks_blocked()
    said = [event.text for event in room.journal.recent.after(0, 100) if event.kind == "message"]
    assert sorted(said, key=int) == [str(number) for number in range(50)]
    assert len(finished) == 50


async def test_a_slow_reader_is_closed_though_nobody_talks(nursery: trio.Nursery) -> None:
    room = PaperRoom(1)
    broadcaster = room.parts.broadcaster
    await nursery.start(broadcaster.run)
    await broadcaster.submit(room.connections[0], enters())
    await trio.testing.wait_all_tasks_blocked()
    room.report_slow(room.connections[0], "you did not read")
    await trio.testing.wait_all_tasks_blocked()
    assert room.lines(0)[-1] == "-- bye (slow_reader): you did not read"
