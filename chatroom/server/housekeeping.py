"""What a server does now and then: it measures itself, and gives back memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from chatroom.server.counters import Counters
    from chatroom.transport.budget import Budget

#: How often is looked, and which fall since the last look is worth a walk through the heap.
LOOK_SECONDS = 5.0
LARGE_BYTES = 32 * 1024 * 1024

#: How often the loop's lag is measured.
LAG_SECONDS = 1.0


async def give_memory_back(budget: Budget) -> None:
    """After much that was kept for readers has gone, give its memory back to the system: the C
    library keeps it otherwise, for ever. Runs until cancelled.
    """
    before_bytes = 0
    while True:
        await trio.sleep(LOOK_SECONDS)
        total_bytes = budget.total_bytes()
        if before_bytes - total_bytes >= LARGE_BYTES:
            await trio.to_thread.run_sync(_trim)
            before_bytes = total_bytes
        before_bytes = max(before_bytes, total_bytes)


async def measure_lag(counters: Counters) -> None:
    """Measure how late the event loop wakes a sleeper. Runs until cancelled."""
    while True:
        due = trio.current_time() + LAG_SECONDS
        await trio.sleep_until(due)
        counters.loop_lag_seconds = trio.current_time() - due


def _trim() -> None:
    import ctypes  # noqa: PLC0415 - rarely needed

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
    if trim is not None:
        trim(0)
