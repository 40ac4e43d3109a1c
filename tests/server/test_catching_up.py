"""Catching up from a history that memory does not hold: at the client's pace, in nobody's way."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio

from chatroom.event import CloseReason, Event, Gap
from chatroom.journal import HistoryUnavailableError, Page
from chatroom.journal.memory import MemoryJournal
from tests.conftest import OpenHouse

EVENTS = 20_000
LOUD = "x" * 1000


class DeepJournal(MemoryJournal):
    """One that has a long history behind its window, 20 MB of it, and counts the pages that are
    asked for.
    """

    def __init__(self, *, broken: bool = False) -> None:
        super().__init__(keep=1000)
        self.recent.last_seq = EVENTS
        self.pages = 0
        self.broken = broken

    def missing_after(self, seq: int) -> int:
        return 0

    async def after(self, seq: int, limit: int) -> Page:
        await trio.lowlevel.checkpoint()
        if self.broken:
            raise HistoryUnavailableError("the disk is gone")
        self.pages += 1
        old: Sequence[Event] = [
            Event(number, "T", "message", "old", LOUD)
            for number in range(seq + 1, min(seq + limit, EVENTS) + 1)
        ]
        return Page(old or self.recent.after(seq, limit), more=True)


async def test_a_resume_goes_at_the_pace_of_its_reader_and_misses_nothing(
    open_room: OpenHouse,
) -> None:
    journal = DeepJournal()
    house = await open_room(journal=journal)
    stuck = await house.knock(receive_buffer_bytes=4096)
    await stuck.say('/json {"after":0}')
    assert (await stuck.object())["kind"] == "welcome"
    alice = await house.enter("alice")
    for _ in range(200):  # the room goes on; it has not read meanwhile
        await alice.say("hello")
        await alice.settle()
    assert journal.pages < 60
    last = house.service.statistics().seq
    assert [(await stuck.object())["seq"] for _ in range(last)] == list(range(1, last + 1))


async def test_many_that_do_not_read_keep_no_other_from_resuming(open_room: OpenHouse) -> None:
    """In the thread mode neither: waiting for a reader holds no thread of Trio's."""
    house = await open_room(journal=DeepJournal())
    for _ in range(45):
        stuck = await house.knock(receive_buffer_bytes=4096)
        await stuck.say('/json {"after":0}')
        await stuck.object()
    back = await house.enter_json("back", after=EVENTS - 300)
    assert (await back.object())["seq"] == EVENTS - 299
    assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0


async def test_a_resume_that_the_disk_fails_ends_in_the_one_order(open_room: OpenHouse) -> None:
    journal = DeepJournal(broken=True)
    house = await open_room(journal=journal)
    watcher = await house.enter_json("watcher")
    failing = await house.knock()
    await failing.say('/json {"nick":"failing","after":0}')
    assert (await failing.object())["resumed"] == "complete"
    error, bye = await failing.object(), await failing.object()
    assert (error["code"], bye["reason"]) == ("history_unavailable", "lost")
    assert await failing.rest() == []
    # Nobody has to say anything for the others to hear of it.
    join, leave = await watcher.object(), await watcher.object()
    assert (join["kind"], leave["kind"], leave["reason"]) == ("join", "leave", "lost")
    assert leave["time"] >= join["time"]
    resumer = await house.enter_json("resumer", after=join["seq"] - 1)
    assert [(await resumer.object())["seq"] for _ in range(3)] == [
        join["seq"],
        leave["seq"],
        leave["seq"] + 1,
    ]
    assert house.service.statistics().ended == {CloseReason.LOST: 1}


async def test_who_is_gone_while_the_disk_is_read_does_not_hear_the_room(
    open_room: OpenHouse,
) -> None:
    asked, go_on = trio.Event(), trio.Event()

    class Waiting(DeepJournal):
        async def after(self, seq: int, limit: int) -> Page:
            asked.set()
            await go_on.wait()
            return await super().after(seq, limit)

    house = await open_room(journal=Waiting())
    back, welcome = await house.welcome("back", after=EVENTS - 5)
    await asked.wait()
    (connection,) = house.service._connections
    await house.enter_json("back", token=welcome["token"])
    assert (await back.object())["reason"] == "replaced"
    go_on.set()
    await house.until(lambda: connection not in house.service._connections)
    assert connection.audience is None


async def test_a_piece_that_ends_with_a_gap_is_followed_by_what_is_behind_it(
    open_room: OpenHouse,
) -> None:
    class Holed(MemoryJournal):
        def __init__(self) -> None:
            super().__init__(keep=1)
            self.recent.last_seq = 9
            self.asked: list[int] = []

        async def after(self, seq: int, limit: int) -> Page:
            self.asked.append(seq)
            if not seq:
                return Page([Event(1, "T", "message", "old", "one"), Gap(2, 8)], more=True)
            return Page([Event(9, "T", "message", "old", "nine")], more=False)

    journal = Holed()
    house = await open_room(journal=journal)
    back = await house.enter_json("back", after=0)
    told = [await back.object() for _ in range(3)]
    assert [one["kind"] for one in told] == ["message", "gap", "message"]
    assert (told[1]["from"], told[1]["to"], told[2]["seq"]) == (2, 8, 9)
    assert journal.asked[:2] == [0, 8]


async def test_who_comes_back_is_told_that_joins_are_not_announced(open_room: OpenHouse) -> None:
    house = await open_room(presence_limit=1)
    await house.enter("alice")
    await house.enter("bob")
    back = await house.enter_json("back", after=1)
    assert (await back.object())["kind"] == "presence"


@pytest.mark.parametrize("takeovers", [6])
async def test_who_only_reads_its_last_lines_takes_no_place(
    open_room: OpenHouse, monkeypatch: pytest.MonkeyPatch, takeovers: int
) -> None:
    monkeypatch.setattr("chatroom.server.fairness.shares.LOBBY_CONNECTIONS", 1)
    house = await open_room(max_clients=2)
    _, welcome = await house.welcome("alice")
    for _ in range(takeovers):  # each leaves a connection behind that reads its bye, or does not
        _, welcome = await house.welcome("alice", token=welcome["token"])
    assert house.service.statistics().ended == {CloseReason.REPLACED: takeovers}
    _, welcome = await house.welcome("bob")
    assert welcome["member_count"] == 2
