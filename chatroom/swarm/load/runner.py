"""Conducts a run: everyone enters, the roll is called, the load runs, the rest is awaited."""

from __future__ import annotations

import gc
import time
from collections import Counter
from typing import Any

import msgspec

from chatroom.errors import ChatroomError
from chatroom.swarm.audit.audit import Audit
from chatroom.swarm.audit.transcript import ROLL_CALLER
from chatroom.swarm.bots.multicast import Alarm
from chatroom.swarm.bots.poller import Poller, now_us
from chatroom.swarm.figures.status import Phase
from chatroom.swarm.figures.timeline import Timeline
from chatroom.swarm.load.barrier import Barrier, SingleProcess
from chatroom.swarm.load.fleet import Fleet
from chatroom.swarm.load.load import Load, pacing_of
from chatroom.swarm.load.talk import Talk
from chatroom.swarm.settings import SwarmSettings
from chatroom.swarm.wire.dialect import Dialect
from chatroom.swarm.wire.payload import Payload

TICK_US = 100_000
TIDY_US = 1_000_000

#: Connections begun but not made yet, at most: the server's listen queue must hold them.
CONNECTING_AT_ONCE = 128

#: A bot that has not heard the roll call by then is not in the room.
ROLL_CALL_SECONDS = 20.0

#: How long to wait for the last messages when none arrives any more, and in all.
QUIET_US = 1_500_000
DRAIN_US = 30_000_000
#: How long to go on hearing when everybody has everything: what comes double comes a moment later.
ECHO_US = 250_000

#: How long the server may take to let everyone go; then the connections are just closed.
LEAVE_US = 5_000_000


class Measured(msgspec.Struct):
    """The figures of the measured time, of one process."""

    seconds: float = 0.0
    delivered_within: int = 0  #: deliveries that arrived within the measured time
    cpu_seconds: float = 0.0  #: this process's own, less what it spun


class Runner:
    """One process's part of a run.

    Args:
        settings: the work.
        dialect: how the server is spoken to.
        address: family and address of the server, resolved.
        barrier: where the processes of this run meet.
        run: the tag of the run, the same in all its processes.
    """

    def __init__(
        self,
        settings: SwarmSettings,
        dialect: Dialect,
        address: tuple[int, Any],
        *,
        run: str,
        barrier: Barrier | None = None,
    ) -> None:
        self.settings = settings
        self.phase = Phase.CONNECTING
        self.timeline = Timeline()
        self.payload = Payload(run, settings.size)
        self.audit = Audit(dialect, self.payload, self.timeline)
        self.talk = Talk(dialect, self.payload, self.timeline, self.audit.transcript)
        self.measured = Measured()
        self.fleet = Fleet(settings, dialect, address, audit=self.audit, run=run)
        self.connect_seconds = 0.0
        self.interrupted = False
        self.shares_loop = False  #: the server runs in the same loop: it must have its turns
        self._barrier = barrier or SingleProcess()
        self._begin_us = 0
        self._measure_us: int | None = None
        self.load: Load | None = None
        self._seen_deliveries = 0
        self._tidy_us = 0

    def measured_seconds(self, now: int) -> float:
        """How much of the measured time has passed."""
        if self._measure_us is None:
            return 0.0
        return min(max(0.0, (now - self._measure_us) / 1e6), self.settings.duration_seconds)

    def stop(self) -> None:
        """End the load early; what ran so far is measured and reported."""
        self.interrupted = True

    async def run(self) -> None:
        """The whole run. Closes every connection at its end, also when it is cancelled.

        Raises:
            ChatroomError: the bots could not enter the room.
        """
        with Poller() as poller:
            self._poller = poller
            alarm = Alarm(poller)
            self.fleet.assemble(poller, alarm, self.talk, self._barrier)
            try:
                await self._connect()
                # What exists now stays; a collection would visit it all, and take longer than the
                # time between the roll call and the load.
                gc.collect()
                gc.freeze()
                gc.disable()
                await self._call_the_roll()
                await self._play()
                await self._drain()
                await self._leave()
            finally:
                gc.enable()
                gc.unfreeze()
                self.phase = Phase.DONE
                self.fleet.close()
                alarm.close()

    # Before the load.

    async def _connect(self) -> None:
        bots, began_us, started = self.fleet.bots, now_us(), 0
        while self.fleet.entered() < len(bots) or self._barrier.meet("connected", None) is None:
            allowed = int((now_us() - began_us) * self.settings.ramp / 1e6) + 1
            connecting = sum(not (bot.entered or bot.gone) for bot in bots[:started])
            allowed = min(allowed, started + CONNECTING_AT_ONCE - connecting, len(bots))
            for bot in bots[started:allowed]:
                bot.start()
            started = max(started, allowed)
            self.fleet.fail_if_gone()
            if self.interrupted:
                raise ChatroomError("stopped before everyone was in the room")
            self._poller.wake_at(now_us() + 2_000)
            await self._poller.wait()
        self.connect_seconds = (now_us() - began_us) / 1e6

    async def _call_the_roll(self) -> None:
        """The first talker speaks until everyone has heard it: then everyone is in the room."""
        self.phase = Phase.ROLL_CALL
        if self.settings.multicast and not self.settings.talkers:
            self._begin_us = now_us()  # listening to whatever is there
            return
        deadline_us = now_us() + int(ROLL_CALL_SECONDS * 1e6)
        caller = self.talk.talkers.get(ROLL_CALLER)
        next_us = 0
        while True:
            if not self.audit.waiting():
                met = self._barrier.meet("heard", now_us())
                if met is not None:
                    break
            now = now_us()
            self.fleet.fail_if_gone()
            if self.interrupted:
                raise ChatroomError("stopped before everyone was in the room")
            if now > deadline_us:
                altered = bool(self.audit.transcript.faults.records)
                raise ChatroomError(
                    f"{self.audit.waiting()} of {len(self.fleet.bots)} bots are connected but heard"
                    f" {'only what was altered' if altered else 'nothing'} within"
                    f" {ROLL_CALL_SECONDS:.0f} s: is this a chatroom server, and does --format"
                    " fit it?"
                )
            if caller is not None and now >= next_us:
                self.talk.call_the_roll(now)
                self._start_the_caller()
                next_us = now + TICK_US
            self._poller.wake_at(max(next_us, now + 1_000))
            await self._poller.wait()
        self._begin_us = max(met) + 20_000

    def _start_the_caller(self) -> None:
        """The roll caller does not hear itself: it must have all that is said from now on."""
        for reader in self.audit.readers:
            if reader.talker == ROLL_CALLER and reader.started_at is None:
                self.audit.start(reader, self.audit.transcript.count)

    # The load.

    async def _play(self) -> None:
        """Warm-up and measured time."""
        work = self.settings
        measure_us = self._measure_us = self._begin_us + int(work.warmup_seconds * 1e6)
        stop_us = measure_us + int(work.duration_seconds * 1e6)
        self.timeline.begin(measure_us)
        self.timeline.end(stop_us)
        self.audit.transcript.digest_from(self._begin_us)
        self.phase = Phase.WARM_UP
        await self._load_until(measure_us)
        self._tick(measure_us - 1)
        self.phase = Phase.MEASURING
        if work.newcomers:
            at_us = now_us() + int(work.duration_seconds * 250_000)
            self.fleet.invite(self._barrier.rank, self.payload, at_us)
        cpu_seconds, deliveries = self._busy_seconds(), self.audit.deliveries
        await self._load_until(stop_us)
        if self.load is None and not self._is_over():
            self._start_load()  # this process had no turn in all that time, which is no excuse
        now = now_us()
        if self.load is not None:
            self.load.end(min(stop_us, now))
        self.timeline.end(min(stop_us, now))
        self.measured.seconds = self.timeline.measured_us / 1e6
        self.measured.cpu_seconds = self._busy_seconds() - cpu_seconds
        self.measured.delivered_within = self.audit.deliveries - deliveries
        self._tick(min(stop_us, now) - 1)

    async def _load_until(self, stop_us: int) -> None:
        """Send what is due, and hear what comes, until a moment of the monotonic clock."""
        tick_us = 0
        while (now := now_us()) < stop_us and not self._is_over():
            if now >= tick_us:
                self._tick(now)
                tick_us = now + TICK_US
            wake_us = min(tick_us, stop_us)
            if self.load is None:
                if now >= self._begin_us:
                    self._start_load()
                else:
                    wake_us = min(wake_us, self._begin_us)
            if self.load is not None and (next_us := self.load.say_due(now)) is not None:
                wake_us = min(wake_us, next_us)
            if self.fleet.newcomers is not None:
                wake_us = min(wake_us, self.fleet.newcomers.step(now))
            self._poller.wake_at(wake_us)
            await (self._poller.wait() if self.shares_loop else self._poller.measure())

    def _busy_seconds(self) -> float:
        return time.process_time() - self._poller.spun_seconds

    def _is_over(self) -> bool:
        # Without a witness there is nothing left to hold anybody's stream against.
        return self.interrupted or bool(self.audit.witness.gone)

    def _start_load(self) -> None:
        talkers, barrier = len(self.talk.talkers), self._barrier
        pacing = pacing_of(
            self.settings, barrier.rank, barrier.processes, talkers=talkers, begin_us=self._begin_us
        )
        if pacing is not None:
            self.load = Load(self.talk, self.audit.transcript, pacing)
            self.fleet.witness.load = self.load

    def _tick(self, now: int) -> None:
        self.timeline.at(now).received += self.audit.deliveries - self._seen_deliveries
        self._seen_deliveries = self.audit.deliveries
        if now >= self._tidy_us:
            self._tidy_us = now + TIDY_US
            self.timeline.fold()
            self.audit.trim()

    # After the load.

    async def _drain(self) -> None:
        """Wait until every reader has everything and nothing more comes, or has come for long."""
        self.phase = Phase.DRAINING
        totals: dict[int, int] | None = None
        began_us = moved_us = now_us()
        seen = -1
        while True:
            if (
                totals is None
                and (met := self._barrier.meet("sent", dict(self.talk.sent))) is not None
            ):
                began_us = moved_us = now_us()
                totals = {int(talker): count for part in met for talker, count in part.items()}
                self.talk.sent = Counter(totals)
            now = now_us()
            if self.audit.deliveries != seen:
                seen, moved_us = self.audit.deliveries, now
            if totals is not None:
                quiet_us = ECHO_US if self._heard_all() else QUIET_US
                if now - moved_us > quiet_us or now - began_us > DRAIN_US:
                    return
            self._poller.wake_at(now + 5_000)
            await self._poller.wait()

    async def _leave(self) -> None:
        """Everyone says goodbye, lest the server take them for lost; all figures are made."""
        self.fleet.leave()
        deadline_us = now_us() + LEAVE_US
        while not self.fleet.left() and (now := now_us()) < deadline_us:
            self._poller.wake_at(min(now + TICK_US, deadline_us))
            await self._poller.wait()

    def _heard_all(self) -> bool:
        numbers = self.audit.transcript.next_number
        return self.audit.settled() and all(
            numbers.get(talker, 0) >= count for talker, count in self.talk.sent.items()
        )
