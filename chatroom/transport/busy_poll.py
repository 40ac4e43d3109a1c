"""Busy polling: who answers at once is waited for awake.

To fall asleep in epoll, to be woken, and to be put back into epoll is nearly half of a lone
message's way through the server (1 talker, 1 reader, 1 in flight, on loopback: 53 µs so, 31 µs
awake). The kernel has the same for network cards (SO_BUSY_POLL) and for guests (halt polling).
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from time import perf_counter

import trio

from chatroom.settings import BUSY_POLL_SECONDS, READ_BYTES
from chatroom.transport import epoll
from chatroom.transport.contract import Transport

Receive = Callable[[Transport], Awaitable[bytes]]

#: So many answers in a row come at once before one is waited for awake: where it is a mistake,
#: because the client needs this very core, hardly one in so many pays for it.
_QUICK = 16


class BusyPoll:
    """Receives from all connections, and finds out whether one alone speaks, and how quickly."""

    def __init__(self, seconds: float, clock: Callable[[], float] = perf_counter) -> None:
        """`seconds`: what is at once, and how long one is waited for awake."""
        self._seconds = seconds
        self._clock = clock
        self._last: Transport | None = None  # who has been heard
        self._quick = 0  # how many times in a row it alone was, and at once

    async def receive(self, transport: Transport) -> bytes:
        """As `epoll.receive`. Every look of an awake wait is a checkpoint: all others are served
        meanwhile, and when one of them speaks it ends.
        """
        asked_at = self._clock()
        if self._quick >= _QUICK and self._last is transport:
            chunk = await self._poll(transport, asked_at + self._seconds)
            if chunk is not None:
                return chunk
            self._quick = 0
            return await epoll.receive(transport)
        chunk = await epoll.receive(transport)
        if self._last is transport and self._clock() - asked_at < self._seconds:
            self._quick += 1
        else:
            self._last = transport
            self._quick = 0
        return chunk

    async def _poll(self, transport: Transport, until: float) -> bytes | None:
        """What comes before `until`, and before anyone else speaks."""
        while self._last is transport and self._clock() < until:
            await trio.lowlevel.checkpoint()
            try:
                return transport.receive(READ_BYTES)
            except BlockingIOError:
                continue
        return None


def receiver(seconds: float | None) -> Receive:
    """How connections are received from; `seconds` as `ServerSettings.busy_poll_seconds`."""
    if seconds is None:  # on one core the client could not answer meanwhile
        seconds = BUSY_POLL_SECONDS if (os.cpu_count() or 1) > 1 else 0.0
    return BusyPoll(seconds).receive if seconds else epoll.receive
