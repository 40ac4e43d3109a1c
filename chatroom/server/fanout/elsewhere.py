"""Threads are kept off the core of the thread that wakes them and goes on working."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from contextlib import suppress


def _find_sched_getcpu() -> Callable[[], int]:
    try:
        found: Callable[[], int] = ctypes.CDLL(None).sched_getcpu
    except (AttributeError, OSError):
        return lambda: -1
    return found


#: On which core the calling thread runs; -1 where the C library can't tell.
this_core = _find_sched_getcpu()


class Elsewhere:
    """Linux likes to put a thread on the core where the one runs that has woken it. One that does
    not go to sleep then keeps it waiting for milliseconds, while another core is idle: a turn for
    1,000 readers with a thread that helps took as long as C does on one thread, and takes
    0.66 so.
    """

    def __init__(self, threads: Sequence[int], core: Callable[[], int] = this_core) -> None:
        """`threads`: their identifiers in the system."""
        self._threads = threads
        self._this_core = core
        self._core = -1  # the one that they are kept off

    def keep(self) -> None:
        """To be called, before they are woken, by who wakes them. Never raises: without the right
        to, or with one core alone, they stay where they are.
        """
        core = self._this_core()
        if core == self._core:
            return
        with suppress(OSError, MemoryError):
            others = os.sched_getaffinity(0) - {core}
            for thread in self._threads if others else ():
                os.sched_setaffinity(thread, others)
        self._core = core
