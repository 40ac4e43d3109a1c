"""When a reader is slow, and for whom a talker waits."""

from __future__ import annotations

from functools import partial

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chatroom.settings import EASE_SECONDS, MOST_LIMITS, STALL_SECONDS
from chatroom.transport.outbox import Bounds, Congestion

BOUNDS = Bounds(limit_bytes=1000, deadline_seconds=10)


@pytest.mark.parametrize(
    ("size_bytes", "stalled_seconds", "slow"),
    [
        (1000, 60, False),
        (1001, STALL_SECONDS, True),
        (1001, STALL_SECONDS / 2, False),  # it reads, and will catch up
        (MOST_LIMITS * 1000, 0, False),
        (MOST_LIMITS * 1000 + 1, 0, True),  # whatever it reads
    ],
)
def test_slow_is_who_makes_no_progress(size_bytes: int, stalled_seconds: float, slow: bool) -> None:
    assert bool(BOUNDS.too_much(size_bytes, stalled_seconds)) is slow


def test_the_smallest_outbox_holds_what_may_be_asked_for() -> None:
    bounds = Bounds(limit_bytes=65536, deadline_seconds=10)
    assert bounds.drained_bytes + 65536 // 2 <= bounds.limit_bytes


class Reader:
    """See `chatroom.transport.outbox.Progress`."""

    def __init__(self, moved_at: float) -> None:
        self.moved_at = moved_at


@pytest.fixture
def congestion() -> Congestion:
    return Congestion(trio.current_time)


async def test_a_talker_waits_until_readers_that_read_have_caught_up(
    congestion: Congestion, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    reader = Reader(trio.current_time())
    congestion.enter(reader)
    start = trio.current_time()

    async def catch_up() -> None:
        await trio.sleep(0.2)
        congestion.leave(reader)

    nursery.start_soon(catch_up)
    await congestion.wait_eased()
    assert trio.current_time() - start == pytest.approx(0.2)
    await congestion.wait_eased()  # nobody is behind
    assert trio.current_time() - start == pytest.approx(0.2)


async def test_talkers_that_wait_go_on_as_soon_as_the_last_one_lets_them(
    congestion: Congestion, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    waited: list[float] = []
    reader = Reader(trio.current_time())
    congestion.enter(reader)

    async def talk(*, too_much: bool) -> None:
        await congestion.wait_eased()
        waited.append(trio.current_time())
        if too_much:
            congestion.enter(reader)

    start = trio.current_time()
    async with trio.open_nursery() as talkers:
        for too_much in (False, True, False, False):
            talkers.start_soon(partial(talk, too_much=too_much))
            await wait_all_tasks_blocked()
        for seconds, gone_on in ((0.2, 2), (0.1, 4)):
            await trio.sleep(seconds)
            reader.moved_at = trio.current_time()
            congestion.leave(reader)
            await wait_all_tasks_blocked()
            assert len(waited) == gone_on
    assert [when - start for when in waited] == pytest.approx([0.2, 0.2, 0.3, 0.3])


async def test_a_reader_that_takes_nothing_is_not_waited_for(
    congestion: Congestion, autojump_clock: MockClock
) -> None:
    congestion.enter(Reader(trio.current_time() - 2 * STALL_SECONDS))
    start = trio.current_time()
    await congestion.wait_eased()
    assert trio.current_time() == start


async def test_nobody_stops_a_talker_for_ever(
    congestion: Congestion, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    reader = Reader(trio.current_time())
    congestion.enter(reader)

    async def drip() -> None:
        while True:
            reader.moved_at = trio.current_time()
            await trio.sleep(0.01)

    nursery.start_soon(drip)
    start = trio.current_time()
    await congestion.wait_eased()
    assert trio.current_time() - start == pytest.approx(EASE_SECONDS)
