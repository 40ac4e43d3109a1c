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

#: Of two who speak one may have fallen silent: after so many rounds of the other it is slept for.
_ROUNDS = 8


class BusyPoll:
    """Receives from all connections, and finds out whether one alone speaks, or two with each
    other, and how quickly.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = perf_counter) -> None:
        """`seconds`: what is at once, and how long one is waited for awake."""
        self._seconds = seconds
        self._clock = clock
        self._two: tuple[Transport | None, Transport | None] = (None, None)  # who spoke last
        self._quick = 0  # how many times in a row one of them did, and at once
        self._asked_at = 0.0  # when all that had come was dealt with

    async def receive(self, transport: Transport) -> bytes:
        """As `epoll.receive`. Every look of an awake wait is a checkpoint: all others are served
        meanwhile, and when a third one speaks it ends.
        """
        self._asked_at = self._clock()
        chunk = await self._poll(transport) if transport in self._two else None
        if chunk is None:
            chunk = await epoll.receive(transport)
        self._note(transport)
        return chunk

    async def _poll(self, transport: Transport) -> bytes | None:
        """What comes at once; None: nothing does, or it is not waited for awake."""
        until = self._asked_at + _ROUNDS * self._seconds
        while self._quick >= _QUICK:
            await trio.lowlevel.checkpoint()
            try:
                return transport.receive(READ_BYTES)
            except BlockingIOError:
                now = self._clock()
                if now - self._asked_at >= self._seconds:
                    self._quick = 0
                elif now >= until:
                    break
        return None

    def _note(self, transport: Transport) -> None:
        """It has been heard."""
        if transport not in self._two:
            self._two = (transport, self._two[0])
            self._quick = 0
        elif self._clock() - self._asked_at < self._seconds:
            self._quick += 1
        else:
            self._quick = 0


def receiver(seconds: float | None) -> Receive:
    """How connections are received from; `seconds` as `ServerSettings.busy_poll_seconds`."""
    if seconds is None:  # on one core the client could not answer meanwhile
        seconds = BUSY_POLL_SECONDS if (os.cpu_count() or 1) > 1 else 0.0
    return BusyPoll(seconds).receive if seconds else epoll.receive
