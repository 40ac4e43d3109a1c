"""When a server gives memory back to the system."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from chatroom.server import housekeeping

MIB = 1024 * 1024

pytestmark = pytest.mark.usefixtures("_no_thread")


@pytest.fixture
def _no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks does so here and at once: a clock that jumps would not wait for a thread."""

    async def run_sync(function: Callable[[], object]) -> object:
        await trio.lowlevel.checkpoint()
        return function()

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)


async def test_memory_is_given_back_when_much_lies_idle_and_only_then(
    monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    idle_bytes, left_bytes, trims = 40 * MIB, 0, 0

    def trim() -> None:
        nonlocal idle_bytes, trims
        idle_bytes, trims = left_bytes, trims + 1

    monkeypatch.setattr(housekeeping, "_idle_bytes", lambda: idle_bytes)
    monkeypatch.setattr(housekeeping, "_trim", trim)
    nursery.start_soon(housekeeping.give_memory_back)
    for idle, left, trimmed in [
        (60, 0, 0),  # little
        (200, 50, 1),  # of which some stays where it is
        (70, 0, 1),  # which is no reason to try again
        (20, 0, 1),
        (45, 0, 1),
        (53, 0, 2),  # more than has ever been left
    ]:
        await trio.sleep(2 * housekeeping.LOOK_SECONDS)
        idle_bytes, left_bytes = idle * MIB, left * MIB
        await trio.sleep(2 * housekeeping.LOOK_SECONDS)
        assert trims == trimmed


@pytest.mark.parametrize(
    "none_left",
    [OSError(24, "Too many open files"), MemoryError(), RuntimeError("can't start new thread")],
)
async def test_a_server_that_has_nothing_left_to_look_with_looks_again_later(
    none_left: Exception,
    monkeypatch: pytest.MonkeyPatch,
    nursery: trio.Nursery,
    autojump_clock: MockClock,
) -> None:
    trims = 0

    def trim() -> None:
        nonlocal trims
        trims += 1

    def fail() -> int:
        raise none_left

    monkeypatch.setattr(housekeeping, "_trim", trim)
    monkeypatch.setattr(housekeeping, "_idle_bytes", fail)
    nursery.start_soon(housekeeping.give_memory_back)
    for idle_bytes in (0, 100 * MIB):
        await trio.sleep(2 * housekeeping.LOOK_SECONDS)
        monkeypatch.setattr(housekeeping, "_idle_bytes", lambda idle=idle_bytes: idle)
    await trio.sleep(2 * housekeeping.LOOK_SECONDS)
    assert trims > 0


def test_what_is_used_is_not_idle() -> None:
    before = housekeeping._idle_bytes()
    kept = [bytes(100_000) for _ in range(500)]
    # Some of it may come from what was idle before.
    assert housekeeping._idle_bytes() - before < 25_000_000
    assert len(kept) == 500
