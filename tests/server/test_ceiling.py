"""The room's ceiling: never more than it, and shared by those who push, one line in turn."""

from __future__ import annotations

from collections import Counter

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from chatroom.server.fairness.ceiling import Ceiling


async def _push(ceiling: Ceiling, who: str, said: list[str], count: int = 1_000_000) -> None:
    for _ in range(count):
        await ceiling.take()
        said.append(who)


def _taken_at_once(ceiling: Ceiling) -> int:
    return sum(ceiling.take_nowait(trio.current_time()) for _ in range(100))


async def test_after_a_pause_a_second_s_worth_goes_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ceiling = Ceiling(20)
    assert _taken_at_once(ceiling) == 20
    await trio.sleep(0.5)
    assert _taken_at_once(ceiling) == 10


async def test_who_pushes_has_an_equal_share(autojump_clock: trio.testing.MockClock) -> None:
    ceiling = Ceiling(100)
    said: list[str] = []
    with trio.move_on_after(10):
        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(_push, ceiling, f"flooder{number}", said)
    counts = Counter(said)
    assert sum(counts.values()) == pytest.approx(100 + 10 * 100, abs=2)
    assert max(counts.values()) - min(counts.values()) <= 1


async def test_one_line_beside_flooders_waits_for_one_line_of_each(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    ceiling, said = Ceiling(100), list[str]()
    for number in range(5):
        nursery.start_soon(_push, ceiling, f"flooder{number}", said)
    await trio.sleep(3)
    before = len(said)
    assert not ceiling.take_nowait(trio.current_time())  # nobody goes ahead of those who wait
    await _push(ceiling, "person", said, 1)
    assert len(said) - before <= 6
    nursery.cancel_scope.cancel()


async def test_cancelled_it_takes_nothing_and_keeps_nobody_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ceiling = Ceiling(1)
    assert ceiling.take_nowait(trio.current_time())
    with trio.move_on_after(0.5):
        await ceiling.take()
    await ceiling.take()
    assert trio.current_time() == pytest.approx(1, abs=0.01)


@given(
    per_second=st.floats(0.5, 2000),
    pauses=st.lists(st.floats(0, 1), max_size=40),
    pushers=st.integers(1, 5),
)
def test_never_more_than_the_ceiling(per_second: float, pauses: list[float], pushers: int) -> None:
    ceiling, at = Ceiling(per_second), list[float]()

    async def talk() -> None:
        for pause in pauses:
            await trio.sleep(pause)
            await ceiling.take()
            at.append(trio.current_time())

    async def all_talk() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(pushers):
                nursery.start_soon(talk)

    trio.run(all_talk, clock=trio.testing.MockClock(autojump_threshold=0))
    assert len(at) == pushers * len(pauses)
    for first, since in enumerate(at[:: max(1, len(at) // 20)]):
        index = first * max(1, len(at) // 20)
        most = max(1.0, per_second) + per_second * (at[-1] - since)
        assert len(at) - index <= most + 0.01
