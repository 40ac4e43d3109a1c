"""What a server does now and then: it measures itself, and gives back memory."""

from __future__ import annotations

import ctypes
import resource
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from chatroom.server.counters import Counters

#: How often is looked, and how much must lie idle to be worth a walk through the heap.
LOOK_SECONDS = 5.0
LARGE_BYTES = 32 * 1024 * 1024

#: How often the loop's lag is measured.
LAG_SECONDS = 1.0

#: What it comes to where the system has no descriptor, no memory, or no thread to spare.
_NONE_LEFT = (OSError, MemoryError, RuntimeError)

#: The fields of `struct mallinfo2`, see mallinfo(3).
_FIGURES = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"


async def give_memory_back() -> None:
    """When much has been freed (what was kept for readers that have gone, say), give its memory
    back to the system: the C library keeps it otherwise, for ever. Runs until cancelled.

    The process's own figures are looked at, not what is kept for readers: a crowd that comes and is
    closed between two looks leaves as much behind.
    """
    least_bytes = inf
    while True:
        # A server that has no descriptor or thread left for this has one at another time.
        with suppress(*_NONE_LEFT):
            idle_bytes = await trio.to_thread.run_sync(_idle_bytes)
            if idle_bytes - least_bytes >= LARGE_BYTES:
                await trio.to_thread.run_sync(_trim)
                # What has not gone now does not go the next time either.
                least_bytes = await trio.to_thread.run_sync(_idle_bytes)
            least_bytes = min(least_bytes, idle_bytes)
        await trio.sleep(LOOK_SECONDS)


async def measure_lag(counters: Counters) -> None:
    """Measure how late the event loop wakes a sleeper. Runs until cancelled."""
    while True:
        due = trio.current_time() + LAG_SECONDS
        await trio.sleep_until(due)
        counters.loop_lag_seconds = trio.current_time() - due


class _Heap(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_size_t) for name in _FIGURES.split())
    hblkhd: int  #: bytes in use that have a mapping of their own
    uordblks: int  #: bytes in use, beside these


def _idle_bytes() -> int:
    """What this process has in memory and the C library's heap does not use; 0 where that is not to
    be had. Some tens of microseconds, of which the heap is locked for a part.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):  # glibc's alone, since 2.33
        return 0
    libc.mallinfo2.restype = _Heap
    heap = libc.mallinfo2()
    with open("/proc/self/statm", "rb") as figures:
        resident_pages = int(figures.read().split()[1])
    used: int = heap.uordblks + heap.hblkhd
    return resident_pages * resource.getpagesize() - used


def _trim() -> None:
    ctypes.CDLL(None).malloc_trim(0)
