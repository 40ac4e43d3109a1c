"""Conducts a run: everyone enters, the roll is called, the load runs, the rest is awaited."""

from __future__ import annotations

import errno
import gc
import os
import time
from collections import Counter
from enum import StrEnum
from functools import partial
from typing import Any

import msgspec

from chatroom.errors import ChatroomError
from chatroom.swarm.audit import Audit
from chatroom.swarm.bot import Bot, TcpBot
from chatroom.swarm.dialect import Dialect
from chatroom.swarm.gate import Alone, Gate
from chatroom.swarm.ledger import Ledger
from chatroom.swarm.multicast import Alarm, FeedFigures, MulticastBot, feed_figures, group_of
from chatroom.swarm.pacing import ClosedLoop, OpenLoop, Pacing
from chatroom.swarm.payload import Payload
from chatroom.swarm.poller import Poller, now_us
from chatroom.swarm.reader import Reader
from chatroom.swarm.settings import SwarmSettings
from chatroom.swarm.storm import Storm
from chatroom.swarm.talk import Talk
from chatroom.swarm.transcript import ROLL_CALLER

TICK_US = 100_000

#: Connections begun but not made yet, at most: the server's listen queue must hold them.
CONNECTING_AT_ONCE = 128

#: A bot that has not heard the roll call by then is not in the room.
ROLL_CALL_SECONDS = 20.0

#: How long to wait for the last messages when none arrives any more, and in all.
QUIET_US = 1_500_000
DRAIN_US = 30_000_000


class Phase(StrEnum):
    """What a run is doing."""

    CONNECTING = "connecting"
    ROLL_CALL = "roll call"
    WARM_UP = "warm-up"
    MEASURING = "measuring"
    DRAINING = "draining"
    DONE = "done"


class Measured(msgspec.Struct):
    """The figures of the measured time, of one process."""

    seconds: float = 0.0
    sent: int = 0
    delivered_within: int = 0  #: deliveries that arrived within the measured time
    cpu_seconds: float = 0.0  #: this process's own
    expected: int = 0  #: deliveries due for what was sent in the measured time


class Conductor:
    """One process's part of a run.

    Args:
        settings: the work.
        dialect: how the server is spoken to.
        address: family and address of the server, resolved.
        gate: where the processes of this run meet.
        run: the tag of the run, the same in all its processes.
    """

    def __init__(
        self,
        settings: SwarmSettings,
        dialect: Dialect,
        address: tuple[int, Any],
        *,
        run: str,
        gate: Gate | None = None,
    ) -> None:
        self.settings = settings
        self.phase = Phase.CONNECTING
        self.ledger = Ledger()
        self.payload = Payload(run, settings.size)
        self.audit = Audit(dialect, self.payload, self.ledger)
        self.talk = Talk(dialect, self.payload, self.ledger, self.audit.transcript)
        self.measured = Measured()
        self.errors: Counter[str] = Counter()
        self.connect_seconds = 0.0
        self.interrupted = False
        self.storm: Storm | None = None
        self.lingering = True  #: see `Poller.wait`; off where a server runs in the same loop
        self._dialect = dialect
        self._address = address
        self._gate = gate or Alone()
        self._bots: list[Bot] = []
        self._begin_us = 0
        self._measure_us: int | None = None
        self._pacing: Pacing | None = None
        self._sent_before = 0  # the load began
        self._completed_before = 0
        self._seen_deliveries = 0

    # What the live view asks for.

    def entered(self) -> int:
        """How many bots are connected."""
        return sum(bot.entered and not bot.gone for bot in self._bots)

    def bots(self) -> int:
        """How many there are to be, in this process."""
        return len(self._bots)

    def feed(self) -> FeedFigures | None:
        """What the listeners of the feed have counted; None if there are none."""
        return feed_figures(self._bots)

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
            self._alarm = Alarm(poller)
            self._cast()
            try:
                await self._connect()
                await self._call_the_roll()
                # What exists now stays; a collection would visit it all and stop the clock.
                gc.collect()
                gc.freeze()
                gc.disable()
                await self._play()
                await self._drain()
            finally:
                gc.enable()
                gc.unfreeze()
                self.phase = Phase.DONE
                for bot in self._bots:
                    bot.close()
                self._alarm.close()
                if self.storm is not None:
                    self.storm.close()

    # Before the load.

    def _cast(self) -> None:
        """Who is who. Listeners enter first, the witness first of all: servers serve it first."""
        work, rank, processes = self.settings, self._gate.rank, self._gate.processes
        talkers = range(rank, work.talkers, processes)
        silent = work.bots if work.multicast else max(0, work.bots - work.talkers)
        listeners = len(range(rank, silent, processes))
        self.audit.local_talkers = set(talkers)
        if work.witness_apart or not listeners:
            listeners += 1
        for number in range(listeners):
            reader = self.audit.witness if number == 0 else Reader(f"listener {number}")
            if work.multicast:
                bot: Bot = MulticastBot(reader.name, self._poller, self._alarm, group_of(work))
            else:
                bot = self._connection(reader, f"{rank}.{number}")
            self._add(bot, reader, enrol=number > 0)
        for talker in talkers:
            echoes = self._dialect.echoes
            heard = Reader(f"talker {talker}", None if echoes else talker)
            listens = self._dialect.talkers_listen and not work.multicast
            talking = self._connection(heard, f"t{talker}", listens=listens)
            self.talk.add(talker, talking)
            self._add(talking, heard, enrol=listens)

    def _connection(self, reader: Reader, nick: str, *, listens: bool = True) -> TcpBot:
        greeting = self._dialect.greeting(f"bot{self.payload.run}-{nick}", listens=listens)
        return TcpBot(reader.name, self._poller, self._address, greeting)

    def _add(self, bot: Bot, reader: Reader, *, enrol: bool) -> None:
        bot.on_gone = partial(self._gone, reader)
        if reader is self.audit.witness:
            bot.hear = partial(self.audit.receive, reader)
            self._poller.first = bot.read_now
        elif enrol:
            bot.hear = partial(self.audit.receive, reader)
            self.audit.enrol(reader)
        self._bots.append(bot)

    def _gone(self, reader: Reader, reason: str) -> None:
        if reader.last_notice and reader.started_at is None:
            reason = f"{reason}: {reader.last_notice.decode(errors='replace')}"
        self.errors[reason] += 1
        self.audit.dismiss(reader, reason)

    async def _connect(self) -> None:
        began_us, started = now_us(), 0
        while self._gate.meet("connected", None) is None or self.entered() < len(self._bots):
            allowed = int((now_us() - began_us) * self.settings.ramp / 1e6) + 1
            connecting = sum(not (bot.entered or bot.gone) for bot in self._bots[:started])
            allowed = min(allowed, started + CONNECTING_AT_ONCE - connecting, len(self._bots))
            for bot in self._bots[started:allowed]:
                bot.start()
            started = max(started, allowed)
            self._fail_if_gone()
            if self.interrupted:
                raise ChatroomError("stopped before everyone was in the room")
            self._poller.wake_at(now_us() + 2_000)
            await self._poller.wait(lingering=False)
            if self.entered() == len(self._bots) and self._gate.meet("connected", None):
                break
        self.connect_seconds = (now_us() - began_us) / 1e6

    def _fail_if_gone(self) -> None:
        for bot in self._bots:
            if bot.gone:
                reason, count = self.errors.most_common(1)[0]
                if reason == os.strerror(errno.ECONNREFUSED):
                    raise ChatroomError(
                        f"nobody answers at {self.settings.host}:{self.settings.port}:"
                        " start a room there with 'chatroom serve', or give --host and --port"
                    )
                raise ChatroomError(
                    f"{count} of {len(self._bots)} bots could not enter the room at"
                    f" {self.settings.host}:{self.settings.port}: {reason}"
                )

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
                met = self._gate.meet("heard", now_us())
                if met is not None:
                    break
            now = now_us()
            self._fail_if_gone()
            if self.interrupted:
                raise ChatroomError("stopped before everyone was in the room")
            if now > deadline_us:
                raise ChatroomError(
                    f"{self.audit.waiting()} of {len(self._bots)} bots are connected but heard"
                    f" nothing within {ROLL_CALL_SECONDS:.0f} s: is this a chatroom server, and"
                    " does --format fit it?"
                )
            if caller is not None and now >= next_us:
                self.talk.say([now])
                self._start_the_caller()
                next_us = now + TICK_US
            self._poller.wake_at(max(next_us, now + 1_000))
            await self._poller.wait(lingering=False)
        self._begin_us = max(met) + 20_000

    def _start_the_caller(self) -> None:
        """The roll caller does not hear itself: it must have all that is said from now on."""
        for reader in self.audit.readers:
            if reader.talker == ROLL_CALLER and reader.started_at is None:
                self.audit.start(reader, self.audit.transcript.count)

    # The load.

    def _make_pacing(self) -> Pacing | None:
        work, processes = self.settings, self._gate.processes
        if not self.talk.talkers:
            return None
        if work.in_flight is not None:
            share = len(range(self._gate.rank, work.in_flight, processes))
            return ClosedLoop(share)
        share_of_rate = (work.rate or 0.0) * len(self.talk.talkers) / work.talkers
        # Processes take turns instead of speaking at once.
        shift = int(self._gate.rank / max(work.rate or 1.0, 1e-9) * 1e6)
        return OpenLoop(share_of_rate, self._begin_us + shift) if share_of_rate else None

    async def _play(self) -> None:
        """Warm-up and measured time."""
        work = self.settings
        measure_us = self._measure_us = self._begin_us + int(work.warmup_seconds * 1e6)
        stop_us = measure_us + int(work.duration_seconds * 1e6)
        self.ledger.begin(measure_us)
        self.ledger.end(stop_us)
        self.audit.transcript.digest_from(measure_us)
        self.phase = Phase.WARM_UP
        await self._load_until(measure_us)
        self.phase = Phase.MEASURING
        if work.storm:
            self.storm = self._newcomers(now_us() + int(work.duration_seconds * 250_000))
        cpu_seconds, deliveries = time.process_time(), self.audit.deliveries
        await self._load_until(stop_us)
        now = now_us()
        self.ledger.end(min(stop_us, now))
        self.measured.seconds = self.ledger.measured_us / 1e6
        self.measured.cpu_seconds = time.process_time() - cpu_seconds
        self.measured.delivered_within = self.audit.deliveries - deliveries
        self._tick(now)

    async def _load_until(self, stop_us: int) -> None:
        """Send what is due, and hear what comes, until a moment of the monotonic clock."""
        poller, closed = self._poller, self.settings.in_flight is not None
        tick_us = 0
        while (now := now_us()) < stop_us and not self.interrupted:
            wake_us = min(tick_us, stop_us)
            if self._pacing is None and now >= self._begin_us:
                self._start_pacing()
            if self._pacing is not None:
                wake_us = min(wake_us, self._send_due(now, closed=closed))
            if now >= tick_us:
                self._tick(now)
                wake_us = tick_us = now + TICK_US
            if self.storm is not None:
                wake_us = min(wake_us, self.storm.step(now))
            poller.wake_at(wake_us)
            await poller.wait(lingering=self.lingering)
        if self._pacing is not None and not closed and not self.interrupted:
            # The last ones that were due before the end, however late this is.
            self._send_due(stop_us - 1, closed=False)

    def _start_pacing(self) -> None:
        self.audit.settle_floor()
        self._completed_before = self.audit.completed
        self._sent_before = self.talk.total
        self._pacing = self._make_pacing()

    def _send_due(self, now: int, *, closed: bool) -> int:
        """Send what was due up to now; returns when to look again at the latest."""
        assert self._pacing is not None
        if closed:
            self.audit.settle_floor()
        completed = self.audit.completed - self._completed_before
        if dues := self._pacing.due(now, self.talk.total - self._sent_before, completed):
            self.talk.say(dues, at_once=closed)
        next_us = self._pacing.next_us()
        return now + TICK_US if next_us is None else next_us

    def _newcomers(self, at_us: int) -> Storm:
        nick = f"new{self.payload.run}-{self._gate.rank}"
        bots = [
            TcpBot(name, self._poller, self._address, self._dialect.greeting(name, listens=True))
            for name in (f"{nick}.{number}" for number in range(self.settings.storm))
        ]
        return Storm(bots, self.payload.start, at_us)

    def _tick(self, now: int) -> None:
        self.ledger.at(now).received += self.audit.deliveries - self._seen_deliveries
        self._seen_deliveries = self.audit.deliveries
        self.ledger.fold()
        self.audit.trim()

    # After the load.

    async def _drain(self) -> None:
        """Wait until every reader has everything, or nothing more comes."""
        self.phase = Phase.DRAINING
        totals: dict[int, int] | None = None
        began_us = moved_us = now_us()
        seen = -1
        while True:
            if (
                totals is None
                and (met := self._gate.meet("sent", dict(self.talk.sent))) is not None
            ):
                totals = {int(talker): count for part in met for talker, count in part.items()}
                self.talk.sent = Counter(totals)
            now = now_us()
            if self.audit.deliveries != seen:
                seen, moved_us = self.audit.deliveries, now
            if totals is not None and (self._heard_all() or now - moved_us > QUIET_US):
                return
            if now - began_us > DRAIN_US:
                return
            self._poller.wake_at(now + 5_000)
            await self._poller.wait(lingering=False)

    def _heard_all(self) -> bool:
        numbers = self.audit.transcript.next_number
        return self.audit.settled() and all(
            numbers.get(talker, 0) >= count for talker, count in self.talk.sent.items()
        )
