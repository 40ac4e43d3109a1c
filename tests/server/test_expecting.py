"""Whose first bytes are waited for, and for how long."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from chatroom.server.serving import expecting
from chatroom.server.serving.expecting import Expecting

SECONDS = 0.25


class Watched:
    """An `Expecting` at work, and who was overdue when."""

    def __init__(self) -> None:
        self.expecting: Expecting[str] = Expecting()
        self.overdue: list[tuple[str, float]] = []
        self.leaves_with: dict[str, str] = {}
        self._start = trio.current_time()  # which stands still but for sleeping

    def note(self, newcomer: str) -> None:
        self.overdue.append((newcomer, round(trio.current_time() - self._start, 2)))
        self.expecting.discard(self.leaves_with.get(newcomer, ""))


@pytest.fixture
async def watched(nursery: trio.Nursery, autojump_clock: trio.testing.MockClock) -> Watched:
    watched = Watched()
    nursery.start_soon(watched.expecting.run, watched.note)
    return watched


async def test_each_is_overdue_once_and_when_its_own_time_has_passed(
    autojump_clock: trio.testing.MockClock, watched: Watched
) -> None:
    watched.expecting.add("alice", SECONDS)
    await trio.sleep(0.1)
    watched.expecting.add("bob", SECONDS)
    await trio.sleep(1)
    assert watched.overdue == [("alice", 0.25), ("bob", 0.35)]
    watched.expecting.add("carol", SECONDS)
    await trio.sleep(1)
    assert watched.overdue[2:] == [("carol", 1.35)]


async def test_who_has_spoken_is_not(
    autojump_clock: trio.testing.MockClock, watched: Watched
) -> None:
    watched.expecting.add("alice", SECONDS)
    assert watched.expecting.discard("alice")
    watched.expecting.add("bob", SECONDS)
    await trio.sleep(0.1)
    assert watched.expecting.discard("bob")
    assert not watched.expecting.discard("bob")
    await trio.sleep(1)
    assert watched.overdue == []


async def test_who_goes_because_of_an_earlier_one_is_not(
    autojump_clock: trio.testing.MockClock, watched: Watched
) -> None:
    watched.leaves_with["alice"] = "bob"
    for newcomer in ("alice", "bob", "carol"):
        watched.expecting.add(newcomer, SECONDS)
    await trio.sleep(1)
    assert [newcomer for newcomer, _ in watched.overdue] == ["alice", "carol"]


async def test_a_crowd_is_told_in_parts(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expecting, "_BATCH", 10)
    for number in range(25):
        watched.expecting.add(f"member{number}", 0.01)
    told: list[int] = []
    while len(watched.overdue) < 25:
        await trio.lowlevel.checkpoint()
        told.append(len(watched.overdue))
    assert any(0 < count < 25 for count in told)
