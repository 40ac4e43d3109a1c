"""A paste of a great many lines: nobody who reads loses a line or a connection to it."""

from __future__ import annotations

import pytest
import trio

from chatroom.server.turn.dispatcher import Dispatcher
from chatroom.settings import GROUP_WEIGHT
from tests.conftest import OpenHouse
from tests.visiting import House, Visitor

LINES = 50_000


async def _paste(visitor: Visitor, lines: int = LINES) -> None:
    await visitor.send(b"".join(b"%d\n" % number for number in range(lines)))


@pytest.mark.parametrize("json", [False, True])
async def test_a_reader_that_reads_hears_every_line_of_a_paste(house: House, json: bool) -> None:
    reader = await (house.enter_json("reader") if json else house.enter("reader"))
    paster = await house.enter("paster")
    await reader.line()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_paste, paster)
        for number in range(LINES):
            line = await reader.line()
            assert (f'"text":"{number}"' in line) if json else (line == f"paster: {number}")
    assert not house.service.statistics().ended


async def test_one_turn_takes_a_bounded_number_of_lines_of_each(
    open_room: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    most: list[int] = []
    turn = Dispatcher.turn

    def measured(self: Dispatcher, batch: object) -> None:
        taken: dict[object, int] = {}
        for connection, drafts in batch:  # type: ignore[attr-defined]
            taken[connection] = taken.get(connection, 0) + len(drafts)
        most.append(max(taken.values()))
        turn(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(Dispatcher, "turn", measured)
    house = await open_room()
    pasters = [await house.enter(f"paster{number}") for number in range(3)]
    lines = 20 * GROUP_WEIGHT
    async with trio.open_nursery() as nursery:
        for paster in pasters:
            nursery.start_soon(_paste, paster, lines)
            nursery.start_soon(_read_until, paster, lines * (len(pasters) - 1))
    # A read that is still in the channel, and the next one.
    assert max(most) <= 2 * GROUP_WEIGHT + 2


async def _read_until(visitor: Visitor, talk: int) -> None:
    while talk:
        talk -= (await visitor.line()).startswith("paster")


async def test_others_are_heard_in_the_middle_of_a_paste(house: House) -> None:
    """The turn goes round: who says one thing does not wait for all of 50,000."""
    reader = await house.enter("reader")
    paster = await house.enter("paster")
    other = await house.enter("other")
    await reader.lines(2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_paste, paster)
        assert await reader.line() == "paster: 0"
        await other.say("hello")
        before = 1
        while await reader.line() != "other: hello":
            before += 1
    assert before < LINES / 2


async def test_a_small_outbox_is_enough_for_long_answers(open_room: OpenHouse) -> None:
    house = await open_room(outbox_limit_bytes=65536)
    talker = await house.enter("talker")
    await talker.say(*["x" * 1000] * 900)
    await talker.settle()
    asker = await house.enter_json("asker")
    before, count = 1 << 40, 0
    while before > 1:
        await asker.say({"kind": "history", "before": before, "limit": 1000})
        answer = await asker.object()
        assert answer["kind"] == "history"
        assert answer["more"] is (answer["events"][0]["seq"] > 1)
        before, count = answer["events"][0]["seq"], count + len(answer["events"])
    assert count == 902
    back = await house.enter_json("back", after=0)
    assert [(await back.object())["seq"] for _ in range(903)] == list(range(1, 904))
    assert not house.service.statistics().ended


async def test_no_reader_that_reads_is_closed_when_many_paste(
    open_room: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of their turns is small, and talkers wait for who is behind: also with outboxes that are
    smaller than what all of them say at once.
    """
    # A busy machine may keep all of them from reading for seconds.
    for wait in ("STALL", "EASE"):
        monkeypatch.setattr(f"chatroom.transport.outbox.{wait}_SECONDS", 20.0)
    house = await open_room(outbox_limit_bytes=65536)
    readers = [await house.enter(f"reader{number}") for number in range(3)]
    # Of each a read may be in the channel and another one behind it when the first reader is
    # behind: 64 KiB each, which has to be less than `MOST_LIMITS` outboxes.
    pasters = [await house.enter(f"paster{number}") for number in range(3)]
    lines = 800
    async with trio.open_nursery() as nursery:
        for paster in pasters:
            nursery.start_soon(paster.say, *["x" * 1000] * lines)
            nursery.start_soon(_read_until, paster, lines * (len(pasters) - 1))
        for reader in readers:
            nursery.start_soon(_read_until, reader, lines * len(pasters))
    assert not house.service.statistics().ended
