"""Who takes part in one process of a run: the bots, what they hear with, and who talks."""

from __future__ import annotations

import errno
import os
from collections import Counter
from functools import partial
from typing import Any

from chatroom.errors import ChatroomError
from chatroom.swarm.audit.audit import Audit
from chatroom.swarm.audit.follower import Follower
from chatroom.swarm.audit.half_ear import HalfEar
from chatroom.swarm.bots.bot import Bot
from chatroom.swarm.bots.multicast import Alarm, MulticastBot, feed_figures, group_of
from chatroom.swarm.bots.poller import Poller
from chatroom.swarm.bots.tcp import TcpBot
from chatroom.swarm.bots.websocket import WebSocketBot
from chatroom.swarm.figures.feed import FeedFigures
from chatroom.swarm.load.barrier import Barrier
from chatroom.swarm.load.load import PromptedWitness
from chatroom.swarm.load.newcomers import Newcomers
from chatroom.swarm.load.talk import Talk
from chatroom.swarm.settings import SwarmSettings
from chatroom.swarm.wire.dialect import Dialect
from chatroom.swarm.wire.payload import Payload

#: No TCP port is listened on, or no Unix socket is there.
NOBODY_THERE = (os.strerror(errno.ECONNREFUSED), os.strerror(errno.ENOENT))


class Fleet:
    """The bots of one process.

    Args:
        settings: how many, and of which kind.
        dialect: how the server is spoken to.
        address: family and address of the server, resolved.
        audit: holds what they hear against each other.
        run: the tag of the run.
    """

    def __init__(
        self,
        settings: SwarmSettings,
        dialect: Dialect,
        address: tuple[int, Any],
        *,
        audit: Audit,
        run: str,
    ) -> None:
        self.bots: list[Bot] = []
        self.witness = PromptedWitness(audit.witness)
        self.errors: Counter[str] = Counter()
        self.newcomers: Newcomers | None = None
        self._settings = settings
        self._dialect = dialect
        self._address = address
        self._audit = audit
        self._run = run

    def assemble(self, poller: Poller, alarm: Alarm, talk: Talk, barrier: Barrier) -> None:
        """Make this process's share of the bots; none is started.

        Listeners enter first, the witness first of all: servers serve it first.
        """
        work, rank, processes = self._settings, barrier.rank, barrier.processes
        self._poller = poller
        talkers = range(rank, work.talkers, processes)
        silent = work.bots if work.multicast else max(0, work.bots - work.talkers)
        listeners = len(range(rank, silent, processes))
        if work.witness_apart or not listeners:
            listeners += 1
        for number in range(listeners):
            reader = self._audit.witness if number == 0 else Follower(f"listener {number}")
            if work.multicast:
                bot: Bot = MulticastBot(reader.name, poller, alarm, group_of(work))
            else:
                bot = self._connection(reader.name, f"{rank}.{number}")
            self._add(bot, reader, listens=True)
        if self._dialect.names_talkers:
            for talker in range(work.talkers):
                nick = self._nick(f"t{talker}")
                self._audit.transcript.introduce(talker, nick.encode())
        for talker in talkers:
            reader = Follower(f"talker {talker}", None if self._dialect.echoes else talker)
            listens = self._dialect.talkers_listen and not work.multicast
            talking = self._connection(reader.name, f"t{talker}", listens=listens)
            talk.add(talker, talking)
            self._add(talking, reader, listens=listens)

    def _connection(self, name: str, nick: str, *, listens: bool = True) -> TcpBot:
        greeting = self._dialect.greeting(self._nick(nick), listens=listens)
        return self._bot(name, greeting)

    def _nick(self, name: str) -> str:
        """The same in all processes of a run, and in no other run."""
        return f"bot{self._run}-{name}"

    def _bot(self, name: str, greeting: bytes) -> TcpBot:
        kind = WebSocketBot if self._dialect.websocket else TcpBot
        return kind(name, self._poller, self._address, greeting)

    def _add(self, bot: Bot, reader: Follower, *, listens: bool) -> None:
        bot.on_gone = partial(self._gone, reader)
        if reader is self._audit.witness:
            bot.ear = self.witness
            self._poller.first = bot.read_now
        elif listens:
            bot.ear = reader
            self._audit.enrol(reader)
        else:
            bot.ear = HalfEar(reader, self._audit)
        self.bots.append(bot)

    def invite(self, rank: int, payload: Payload, at_us: int) -> None:
        """Let the newcomers come while the others talk, from `at_us` on; see `Newcomers`."""
        names = [f"new{self._run}-{rank}.{number}" for number in range(self._settings.newcomers)]
        greetings = [self._dialect.greeting(name, listens=True) for name in names]
        bots = [self._bot(name, greeting) for name, greeting in zip(names, greetings, strict=True)]
        self.newcomers = Newcomers(bots, payload, at_us)

    def _gone(self, reader: Follower, reason: str) -> None:
        if reader.last_notice and reader.started_at is None:
            reason = f"{reason}: {reader.last_notice.decode(errors='replace')}"
        self.errors[reason] += 1
        self._audit.dismiss(reader, reason)

    def entered(self) -> int:
        """How many are connected."""
        return sum(bot.entered and not bot.gone for bot in self.bots)

    def fail_if_gone(self) -> None:
        """Raises ChatroomError where one has left, or did not come in."""
        if not self.errors:
            return
        reason, count = self.errors.most_common(1)[0]
        work = self._settings
        if reason in NOBODY_THERE:
            raise ChatroomError(
                f"nobody answers at {work.place}: start a room there with"
                " 'chatroom serve', or give --host and --port"
            )
        raise ChatroomError(
            f"{count} of {len(self.bots)} bots could not enter the room at {work.place}: {reason}"
        )

    def feed(self) -> FeedFigures | None:
        """What the listeners of the feed have counted; None if there are none."""
        return feed_figures(self.bots)

    def leave(self) -> None:
        """Begin to leave in order. What is still heard counts for nothing."""
        for bot in self.bots:
            bot.leave(self._dialect.goodbye)
        if self.newcomers is not None:
            self.newcomers.leave(self._dialect.goodbye)

    def left(self) -> bool:
        """Have all left?"""
        newcomers_left = self.newcomers is None or self.newcomers.left()
        return newcomers_left and all(bot.gone for bot in self.bots)

    def close(self) -> None:
        """Close all connections that are left."""
        for bot in self.bots:
            bot.close()
        if self.newcomers is not None:
            self.newcomers.close()
