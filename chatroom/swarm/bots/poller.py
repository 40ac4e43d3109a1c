"""One task that waits for very many sockets: an epoll descriptor of its own, and a timer in it.

A Trio task for each socket costs two turns of Trio's loop for each chunk received; at a thousand
sockets the load generator would be what is measured. Here one task drains all sockets that are
ready in one go. The epoll descriptor is itself readable when one of its sockets is, so the task
waits for it with `trio.lowlevel.wait_readable`, or, while a measurement runs, in epoll itself for a
few milliseconds at a time, and at first without sleeping (see `Poller.measure`).

The timer is a timerfd, because `trio.sleep` and epoll's own timeout count whole milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import select
import struct
import time
from collections.abc import Callable
from math import inf
from time import monotonic, thread_time
from types import TracebackType
from typing import Self

import trio

#: Called with epoll's event mask when a descriptor is ready.
Ready = Callable[[int], None]

#: As `select.epoll.poll` returns them: descriptors and masks.
Events = list[tuple[int, int]]

#: While a measurement runs, Trio's loop has its turn when so long has passed since its last one.
LINGER_SECONDS = 0.02

#: While a measurement runs, epoll is asked again and again for so long before it is waited for:
#: after the last event, and before the moment when something is due.
SPIN_SECONDS = 0.001

_MAX_EVENTS = 512
_TFD_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_TFD_TIMER_ABSTIME = 1
_libc = ctypes.CDLL(None, use_errno=True)


def now_us() -> int:
    """The monotonic clock, in microseconds: one clock for all processes of this host."""
    return time.monotonic_ns() // 1000


class Timer:
    """A timer that makes a descriptor readable at a moment of the monotonic clock (timerfd)."""

    def __init__(self) -> None:
        self._descriptor: int = _libc.timerfd_create(time.CLOCK_MONOTONIC, _TFD_NONBLOCK_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def fileno(self) -> int:
        """The descriptor, for epoll."""
        return self._descriptor

    def set(self, at_us: int) -> None:
        """Be readable from `at_us` on; a moment that has passed already counts too."""
        seconds, micros = divmod(max(at_us, 1), 1_000_000)
        setting = struct.pack("@qqqq", 0, 0, seconds, micros * 1000)
        # Setting it anew also takes back a readiness not yet read.
        _libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, setting, None)

    def clear(self) -> None:
        """Not be readable any more."""
        _libc.timerfd_settime(self._descriptor, 0, bytes(32), None)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)


class Poller:
    """Calls a function for each descriptor that is ready. Belongs to one task."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._table: dict[int, Ready] = {}
        self._timer = Timer()
        self._due_us: int | None = None
        self._turn_at = 0.0
        self._lead_us = 0  # the timer goes off so long before something is due
        self._active_at = 0.0  # when something was ready the last time
        self.spun_seconds = 0.0  #: of the processor's time, spent asking in vain
        self.first: Ready | None = None  #: called before all others when several are ready
        self._epoll.register(self._timer.fileno(), select.EPOLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.close()
        self._epoll.close()

    def watch(self, descriptor: int, ready: Ready, mask: int = select.EPOLLIN) -> None:
        """Call `ready` whenever the descriptor is (level-triggered)."""
        self._table[descriptor] = ready
        self._epoll.register(descriptor, mask)

    def __contains__(self, descriptor: int) -> bool:
        return descriptor in self._table

    def change(self, descriptor: int, ready: Ready, mask: int = select.EPOLLIN) -> None:
        """Watch a descriptor for other events, or call another function."""
        self._table[descriptor] = ready
        self._epoll.modify(descriptor, mask)

    def forget(self, descriptor: int) -> None:
        """Watch it no more; to be called before it is closed."""
        del self._table[descriptor]
        self._epoll.unregister(descriptor)

    def wake_at(self, at_us: int | None) -> None:
        """Let `wait` return at this moment at the latest, nothing ready or not; None: never."""
        if at_us == self._due_us:
            return
        self._due_us = at_us
        if at_us is None:
            self._timer.clear()
        else:
            self._timer.set(at_us - self._lead_us)

    async def wait(self) -> None:
        """Wait until something is ready or due, and serve what is ready."""
        self._lead_us = 0
        if events := self._epoll.poll(0, _MAX_EVENTS):
            self._dispatch(events)
            await trio.lowlevel.checkpoint()
        else:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            self._dispatch(self._epoll.poll(0, _MAX_EVENTS))

    async def measure(self) -> None:
        """Like `wait`, and nothing that it does should count as latency of the server.

        It blocks in epoll for up to `LINGER_SECONDS` and keeps Trio's other tasks waiting for so
        long, because the way through Trio's loop costs 5 to 9 µs. And it spins before it blocks:
        a core that went to sleep wakes slowly and with cold caches, which made 100 to 400 µs for
        an interpreter, 20 to 50 for a program in C. (Median with one in flight: 399 µs blocking,
        218 spinning, where a generator in C reads 203 to 231.) It is a checkpoint every
        `LINGER_SECONDS` to twice that.
        """
        self._lead_us = int(SPIN_SECONDS * 1e6)
        events = self._epoll.poll(0, _MAX_EVENTS) or self._spin()
        self._dispatch(events)
        now = monotonic()
        if events:
            self._active_at = now
        if now - self._turn_at >= LINGER_SECONDS:
            await trio.lowlevel.checkpoint()
            self._turn_at = monotonic()

    def _spin(self) -> Events:
        """Ask until something is ready or due, or wait for it if that is not so soon."""
        began, now = thread_time(), monotonic()
        due = inf if self._due_us is None else self._due_us / 1e6
        until = due if due - now <= SPIN_SECONDS else self._active_at + SPIN_SECONDS
        events: Events = []
        while now < until and not (events := self._epoll.poll(0, _MAX_EVENTS)):
            os.sched_yield()  # to a server on this very core
            now = monotonic()
        self.spun_seconds += thread_time() - began
        if events or now >= due:
            return events
        return self._epoll.poll(LINGER_SECONDS, _MAX_EVENTS)

    def _dispatch(self, events: Events) -> None:
        table = self._table
        if len(events) > 1 and self.first is not None:
            self.first(select.EPOLLIN)
        for descriptor, mask in events:
            if ready := table.get(descriptor):
                ready(mask)
            elif descriptor == self._timer.fileno():
                self._timer.clear()
                if not self._lead_us:
                    self._due_us = None
            # Else an earlier one in this round has closed it.
