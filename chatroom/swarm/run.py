"""Runs a swarm from its settings: the address, the descriptors, the signals, the live view."""

from __future__ import annotations

import resource
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TextIO

import trio

from chatroom.errors import ChatroomError
from chatroom.swarm.conductor import Conductor, Phase
from chatroom.swarm.dialect import Dialect
from chatroom.swarm.gate import Gate
from chatroom.swarm.histogram import Histogram
from chatroom.swarm.live import Status, show
from chatroom.swarm.multicast import DESCRIPTORS
from chatroom.swarm.part import Part, combine, part_of
from chatroom.swarm.payload import new_run
from chatroom.swarm.poller import now_us
from chatroom.swarm.result import RunResult
from chatroom.swarm.settings import SwarmSettings
from chatroom.swarm.threshold import Threshold

#: Descriptors that are not bots: epoll, the timer, Trio's own, standard streams, files.
_OTHER_DESCRIPTORS = 64

#: Something that looks on while a conductor works.
Watch = Callable[[Conductor], Awaitable[None]]


def raise_descriptor_limit(bots: int) -> None:
    """Allow this process as many descriptors as its bots need.

    Raises:
        ChatroomError: the hard limit is lower.
    """
    needed = bots + _OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed or soft == resource.RLIM_INFINITY:
        return
    if hard not in (resource.RLIM_INFINITY,) and hard < needed:
        raise ChatroomError(
            f"{bots:,} bots need {needed:,} open files in each process, and {hard:,} are allowed:"
            " take fewer bots, more --processes, or raise the limit (ulimit -Hn)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


async def resolve(host: str, port: int) -> tuple[int, Any]:
    """The family and address to connect to.

    Raises:
        ChatroomError: the name is not known.
    """
    try:
        found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ChatroomError(f"no such host: {host} ({error.strerror})") from None
    family, _, _, _, address = found[0]
    return family, address


async def run_part(
    settings: SwarmSettings,
    dialect: Dialect,
    *,
    run: str,
    gate: Gate | None = None,
    watch: Watch | None = None,
) -> Part:
    """This process's part of a run. Ctrl-C ends the load early, a second one the program.

    Args:
        settings: the work.
        dialect: how the server is spoken to.
        run: the tag of the run.
        gate: where the processes of the run meet; None: there is but this one.
        watch: runs beside it, to show how it goes, and is cancelled at its end.

    Raises:
        ChatroomError: the bots could not enter the room.
    """
    each = DESCRIPTORS if settings.multicast else 1
    talkers = settings.talkers if settings.multicast else 0
    bots = settings.bots * each + talkers
    raise_descriptor_limit(bots // settings.processes + settings.storm + each)
    address = await resolve(settings.host, settings.port)
    conductor = Conductor(settings, dialect, address, run=run, gate=gate)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_on_signal, conductor)
        if watch is not None:
            nursery.start_soon(watch, conductor)
        await conductor.run()
        nursery.cancel_scope.cancel()
    return part_of(conductor)


async def _stop_on_signal(conductor: Conductor) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            if conductor.interrupted:
                raise KeyboardInterrupt
            conductor.stop()


class Progress:
    """What the live view asks for, from a conductor."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._at_us = now_us()
        self._sent = 0
        self._deliveries = 0

    def status(self) -> Status:
        """A snapshot; the rates are those since the one before."""
        conductor, now = self._conductor, now_us()
        seconds = max(1, now - self._at_us) / 1e6
        sent, deliveries = conductor.talk.sent.total(), conductor.audit.deliveries
        latency, lag = self._last_second()
        status = Status(
            phase=conductor.phase,
            connected=conductor.cast.entered(),
            bots=len(conductor.cast.bots),
            seconds=conductor.measured_seconds(now),
            sent_per_second=(sent - self._sent) / seconds,
            delivered_per_second=(deliveries - self._deliveries) / seconds,
            p50_us=latency.percentile(50),
            p99_us=latency.percentile(99),
            lag_p99_us=lag.percentile(99),
            errors=conductor.cast.errors.total(),
        )
        self._at_us, self._sent, self._deliveries = now, sent, deliveries
        return status

    def _last_second(self) -> tuple[Histogram, Histogram]:
        intervals = self._conductor.ledger.intervals
        if not intervals or self._conductor.phase is Phase.WARM_UP:
            return Histogram(), Histogram()
        # The one before the present one is complete but for what is late.
        interval = intervals[-2] if len(intervals) > 1 else intervals[-1]
        return interval.latency, interval.lag


async def run_alone(
    settings: SwarmSettings,
    dialect: Dialect,
    thresholds: Sequence[Threshold] = (),
    watch: TextIO | None = None,
) -> RunResult:
    """A run in this process alone. Raises like `run_part`."""

    async def look(conductor: Conductor) -> None:
        assert watch is not None
        await show(Progress(conductor), settings, watch)

    part = await run_part(settings, dialect, run=new_run(), watch=None if watch is None else look)
    return combine([part], settings, thresholds)
