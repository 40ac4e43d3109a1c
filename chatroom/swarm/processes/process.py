"""Runs a swarm from its settings: the address, the descriptors, the signals, the live view."""

from __future__ import annotations

import resource
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TextIO

import trio

from chatroom.errors import ChatroomError
from chatroom.swarm.bots.multicast import DESCRIPTORS
from chatroom.swarm.bots.poller import now_us
from chatroom.swarm.figures.histogram import Histogram
from chatroom.swarm.figures.result import RunResult
from chatroom.swarm.figures.status import Phase, Status
from chatroom.swarm.figures.threshold import Threshold
from chatroom.swarm.load.barrier import Barrier
from chatroom.swarm.load.runner import Runner
from chatroom.swarm.processes.merge import ProcessResult, merge, result_of
from chatroom.swarm.report.live import show
from chatroom.swarm.settings import SwarmSettings
from chatroom.swarm.wire.dialect import Dialect
from chatroom.swarm.wire.payload import new_run

#: Descriptors that are not bots: epoll, the timer, Trio's own, standard streams, files.
_OTHER_DESCRIPTORS = 64

#: Something that looks on while a runner works.
Watch = Callable[[Runner], Awaitable[None]]


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


async def resolve(settings: SwarmSettings) -> tuple[int, Any]:
    """The family and address to connect to.

    Raises:
        ChatroomError: the name is not known.
    """
    if (path := settings.unix_path) is not None:
        return socket.AF_UNIX, path
    host = settings.host
    try:
        found = await trio.socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ChatroomError(f"no such host: {host} ({error.strerror})") from None
    family, _, _, _, address = found[0]
    return family, address


async def run_process(
    settings: SwarmSettings,
    dialect: Dialect,
    *,
    run: str,
    barrier: Barrier | None = None,
    watch: Watch | None = None,
) -> ProcessResult:
    """This process's share of a run. Ctrl-C ends the load early, a second one the program.

    Args:
        settings: the work.
        dialect: how the server is spoken to.
        run: the tag of the run.
        barrier: where the processes of the run meet; None: there is but this one.
        watch: runs beside it, to show how it goes, and is cancelled at its end.

    Raises:
        ChatroomError: the bots could not enter the room.
    """
    settings = settings.at(0 if barrier is None else barrier.rank)
    each = DESCRIPTORS if settings.multicast else 1
    talkers = settings.talkers if settings.multicast else 0
    bots = settings.bots * each + talkers
    raise_descriptor_limit(bots // settings.processes + settings.newcomers + each)
    address = await resolve(settings)
    runner = Runner(settings, dialect, address, run=run, barrier=barrier)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_on_signal, runner)
        if watch is not None:
            nursery.start_soon(watch, runner)
        await runner.run()
        nursery.cancel_scope.cancel()
    return result_of(runner)


async def _stop_on_signal(runner: Runner) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            if runner.interrupted:
                raise KeyboardInterrupt
            runner.stop()


class Meter:
    """What the live view asks for, from a runner."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._at_us = now_us()
        self._sent = 0
        self._deliveries = 0

    def status(self) -> Status:
        """A snapshot; the rates are those since the one before."""
        runner, now = self._runner, now_us()
        seconds = max(1, now - self._at_us) / 1e6
        sent, deliveries = runner.talk.sent.total(), runner.audit.deliveries
        latency, lag = self._last_second()
        status = Status(
            phase=runner.phase,
            connected=runner.fleet.entered(),
            bots=len(runner.fleet.bots),
            seconds=runner.measured_seconds(now),
            sent_per_second=(sent - self._sent) / seconds,
            delivered_per_second=(deliveries - self._deliveries) / seconds,
            p50_us=latency.percentile(50),
            p99_us=latency.percentile(99),
            lag_p99_us=lag.percentile(99),
            errors=runner.fleet.errors.total(),
        )
        self._at_us, self._sent, self._deliveries = now, sent, deliveries
        return status

    def _last_second(self) -> tuple[Histogram, Histogram]:
        intervals = self._runner.timeline.intervals
        if not intervals or self._runner.phase is Phase.WARM_UP:
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
    """A run in this process alone. Raises like `run_process`."""

    async def look(runner: Runner) -> None:
        assert watch is not None
        await show(Meter(runner), settings, watch)

    result = await run_process(
        settings, dialect, run=new_run(), watch=None if watch is None else look
    )
    return merge([result], settings, thresholds)
