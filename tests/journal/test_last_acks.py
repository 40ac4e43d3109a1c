"""Who ends in good order has its acks before the bye, and within a bounded time."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from chatroom.journal.sqlite import open_journal
from chatroom.server.fanout import farewell
from tests.journal.disk import SQLITE_OK, Disk
from tests.journal.talk import settings_for
from tests.visiting import House, Visitor, open_house

LINES = [{"kind": "message", "text": f"line {n}", "id": str(n)} for n in range(3)]


class StuckDisk:
    """Every sync hangs from `stick` on, until `move`."""

    def __init__(self, disk: Disk) -> None:
        self._moves = threading.Event()
        self._moves.set()
        disk.on_sync = self._sync

    def stick(self) -> None:
        self._moves.clear()

    def move(self) -> None:
        self._moves.set()

    def _sync(self, name: str) -> int:
        self._moves.wait(60)
        return SQLITE_OK


@pytest.fixture
def stuck(disk: Disk) -> StuckDisk:
    return StuckDisk(disk)


@asynccontextmanager
async def room(path: Path, mode: str, stuck: StuckDisk, **settings: Any) -> AsyncIterator[House]:
    async with open_journal(settings_for(path)) as journal, trio.open_nursery() as nursery:
        house = await open_house(nursery, mode, journal=journal, **settings)
        try:
            yield house
        finally:
            stuck.move()
            house.close()
            nursery.cancel_scope.cancel()


async def _quit(house: House, talker: Visitor) -> None:
    await talker.say({"kind": "quit"})


async def _close_its_side(house: House, talker: Visitor) -> None:
    talker.stream.socket.shutdown(socket.SHUT_WR)


async def _drain(house: House, talker: Visitor) -> None:
    await house.until(lambda: house.service.statistics().seq >= 5)  # what was said has been read
    house.service.drain()


@pytest.mark.parametrize(
    ("end", "reason"),
    [(_quit, "quit"), (_close_its_side, "quit"), (_drain, "shutdown")],
    ids=["quit", "end of stream", "drain"],
)
async def test_the_bye_comes_after_the_acks(
    path: Path, mode: str, stuck: StuckDisk, end: Callable[..., Any], reason: str
) -> None:
    async with room(path, mode, stuck) as house:
        hears = await house.enter("hears")
        talker = await house.enter_json("talker", presence=False)
        assert await hears.line() == "-- talker joined"
        stuck.stick()
        await talker.say(*LINES)
        await end(house, talker)
        # For all others it has happened: nobody waits for the disk but who is owed.
        assert await hears.lines(3) == [f"talker: line {n}" for n in range(3)]
        if reason == "quit":
            assert await hears.line() == "-- talker left (quit)"
        with trio.move_on_after(0.1) as waiting:
            await talker.line_bytes()
        assert waiting.cancelled_caught
        stuck.move()
        told = [json.loads(line) for line in await talker.rest()]
        assert [answer["kind"] for answer in told] == ["ack"] * 3 + ["bye"]
        assert [ack["id"] for ack in told[:-1]] == ["0", "1", "2"]
        assert told[-1]["reason"] == reason


async def test_a_bye_waits_no_longer_than_its_time(
    path: Path, mode: str, stuck: StuckDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farewell, "FAREWELL_SECONDS", 0.05)
    async with room(path, mode, stuck) as house:
        talker = await house.enter_json("talker", presence=False)
        stuck.stick()
        await talker.say(*LINES, {"kind": "quit"})
        (bye,) = await talker.rest()
        assert json.loads(bye)["reason"] == "quit"
        stuck.move()
        again, _ = await house.welcome("talker", after=1, presence=False)
        for n in range(3):
            assert (await again.object())["text"] == f"line {n}"


async def test_a_drain_that_may_take_little_time_says_the_bye_all_the_same(
    path: Path, mode: str, stuck: StuckDisk
) -> None:
    async with room(path, mode, stuck, grace_seconds=0.2) as house:
        talker = await house.enter_json("talker", presence=False)
        stuck.stick()
        await talker.say(*LINES)
        await house.until(lambda: house.service.statistics().seq == 4)
        house.service.drain()
        (bye,) = await talker.rest()
        assert json.loads(bye)["reason"] == "shutdown"
