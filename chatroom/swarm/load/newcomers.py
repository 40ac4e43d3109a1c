"""Newcomers: very many connections at once, while the others talk."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from chatroom.swarm.bots.bot import DEAF
from chatroom.swarm.bots.tcp import TcpBot
from chatroom.swarm.figures.newcomers import NewcomerFigures
from chatroom.swarm.wire.payload import Payload

#: Connections begun in one turn: few enough that those inside are read in between.
_A_TURN = 16
#: Begun but not made yet, at most.
_CONNECTING = 512


class _Arrival:
    """Listens for the first message of the run."""

    def __init__(self, bot: TcpBot, newcomers: Newcomers) -> None:
        self._bot = bot
        self._newcomers = newcomers

    def hear(self, at_us: int, chunk: memoryview) -> None:
        mark = self._newcomers.mark_in(bytes(chunk))
        if mark:
            self._bot.ear = DEAF
            self._newcomers.welcome(mark, at_us)


class Newcomers:
    """Lets newcomers connect as fast as the server takes them, from `at_us` on.

    A newcomer is in the room when it hears a message of the run: those who hear one message first
    were in by the time at which the first of them heard it.

    Args:
        bots: the newcomers, not started.
        payload: knows a message of the run.
        at_us: when to begin, on the monotonic clock.
    """

    def __init__(self, bots: Sequence[TcpBot], payload: Payload, at_us: int) -> None:
        self._bots = bots
        self._at_us = at_us
        self._started = 0
        self._last_us = at_us
        self.mark_in = payload.mark_in
        #: By the message that they heard first: when the first of them did, and how many they are.
        self._heard: dict[bytes, list[int]] = {}
        self._connecting: set[TcpBot] = set()
        self._figures: NewcomerFigures | None = None
        for bot in bots:
            bot.ear = _Arrival(bot, self)

    def step(self, now: int) -> int:
        """Begin some more connections; returns when to call it again (monotonic, µs)."""
        if now < self._at_us:
            return self._at_us
        if self._started == len(self._bots):
            return now + 1_000_000
        if self._started == 0:
            self._at_us = now
        self._connecting = {bot for bot in self._connecting if not (bot.entered or bot.gone)}
        stop = min(self._started + _A_TURN, len(self._bots))
        if len(self._connecting) < _CONNECTING:
            for bot in self._bots[self._started : stop]:
                bot.start()
                self._connecting.add(bot)
            self._started = stop
            return now
        return now + 200

    def welcome(self, mark: bytes, at_us: int) -> None:
        """A newcomer is in the room: that message is the first that it hears."""
        self._heard.setdefault(mark, [at_us, 0])[1] += 1
        self._last_us = at_us

    def figures(self) -> NewcomerFigures:
        """What came of it, until they left."""
        if self._figures is not None:
            return self._figures
        seconds = (self._last_us - self._at_us) / 1e6
        errors = sorted({bot.gone for bot in self._bots if bot.gone})
        times = accumulate(self._heard.values(), lambda one, two: [two[0], one[1] + two[1]])
        in_by = [((heard_us - self._at_us) / 1e6, count) for heard_us, count in times]
        return NewcomerFigures.of(len(self._bots), in_by, max(seconds, 0.0), errors)

    def leave(self, goodbye: bytes) -> None:
        """Begin to leave in order; the figures stay what they are."""
        self._figures = self.figures()
        for bot in self._bots:
            bot.leave(goodbye)

    def left(self) -> bool:
        """Have all left?"""
        return all(bot.gone for bot in self._bots)

    def close(self) -> None:
        """Close all their connections."""
        for bot in self._bots:
            bot.close()
