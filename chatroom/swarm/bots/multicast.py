"""Bots that hear the room on its multicast feed, each with sockets of its own."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterable
from math import inf

import msgspec

from chatroom.errors import ChatroomError
from chatroom.feed.group import Group, default_interface
from chatroom.feed.line import WantedLine
from chatroom.feed.listener import Listener, Wanted
from chatroom.feed.stream import Delivered
from chatroom.settings import DEFAULT_GROUP
from chatroom.swarm.bots.bot import DEAF, Ear, ignore_reason
from chatroom.swarm.bots.poller import Poller, Timer, now_us
from chatroom.swarm.figures.feed import FeedFigures, ListenerFigures
from chatroom.swarm.settings import SwarmSettings

#: Descriptors of one bot: the group's socket, its own, and what waits for both.
DESCRIPTORS = 3


def group_of(settings: SwarmSettings) -> Group:
    """The group to listen to: where the server at this TCP port sends by default."""
    address = settings.group or DEFAULT_GROUP
    port = settings.feed_port or settings.port + 1
    return Group(address, port, settings.interface or default_interface(address))


class Alarm:
    """Wakes the bots that have something to ask for again: one timer for all of them."""

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        self._timer = Timer()
        self._due: dict[MulticastBot, float] = {}
        self._set_for = inf
        poller.watch(self._timer.fileno(), self._ring)

    def set(self, bot: MulticastBot, due: float) -> None:
        """Call `bot.work` at `due`, a time of the monotonic clock in seconds; not at all if that
        is infinity. Replaces the time set before."""
        if due == inf:
            self._due.pop(bot, None)
            return
        self._due[bot] = due
        if due < self._set_for:
            self._set_for = due
            self._timer.set(int(due * 1e6) + 1)

    def _ring(self, _mask: int) -> None:
        self._timer.clear()
        self._set_for = inf
        now = now_us() / 1e6
        for bot in [bot for bot, due in self._due.items() if due <= now]:
            bot.work(0)
        if self._due:
            self._set_for = min(self._due.values())
            self._timer.set(int(self._set_for * 1e6) + 1)

    def close(self) -> None:
        """Give the descriptor back."""
        self._poller.forget(self._timer.fileno())
        self._timer.close()


class MulticastBot:
    """A listener: it hears the events as JSON Lines, in order, repairs included.

    Events that are lost for good are simply not there, which is what the audit looks for.
    """

    def __init__(self, name: str, poller: Poller, alarm: Alarm, group: Group) -> None:
        self.name = name
        self.entered = False
        self.gone = ""
        self.ear: Ear = DEAF
        self.on_gone: Callable[[str], None] = ignore_reason
        self._poller = poller
        self._alarm = alarm
        self._group = group
        self._listener: Listener | None = None
        self._figures = ListenerFigures(name)

    def start(self) -> None:
        """Join the group."""
        try:
            self._listener = Listener(Wanted([WantedLine(self._group)]))
        except (ChatroomError, OSError) as error:
            self.gone = str(error)
            self.on_gone(self.gone)
            return
        for descriptor in self._listener.filenos():
            self._poller.watch(descriptor, self.work)
        self.entered = True

    def work(self, _mask: int) -> None:
        """Take what has come, and ask for what is missing."""
        listener = self._listener
        if listener is None:
            return
        outcomes = listener.receive_nowait()
        at_us = now_us()  # as a stream's bots do it: when what came has been received
        if outcomes:
            lines = [one.message + b"\n" for one in outcomes if isinstance(one, Delivered)]
            self.ear.hear(at_us, memoryview(b"".join(lines)))
        self._alarm.set(self, listener.deadline)

    def read_now(self, _mask: int) -> None:
        """Read what is there without being told that there is something."""
        self.work(select.EPOLLIN)

    def leave(self, _goodbye: bytes) -> None:
        """Leave the group, which nobody is told."""
        self.close()
        self.gone = "left"

    def close(self) -> None:
        """Leave the group."""
        if self._listener is not None:
            self._figures = self.figures()
            self._alarm.set(self, inf)
            for descriptor in self._listener.filenos():
                self._poller.forget(descriptor)
            self._listener.close()
            self._listener = None

    def figures(self) -> ListenerFigures:
        """What this listener has counted."""
        if self._listener is None:
            return self._figures
        counts = self._listener.statistics
        figures = msgspec.convert({"name": self.name, **counts.as_dict()}, ListenerFigures)
        figures.repair_steps = dict(counts.repair_times.counts)
        return figures


def feed_figures(bots: Iterable[object]) -> FeedFigures | None:
    """The figures of the listeners among the bots; None without any."""
    listeners = [bot.figures() for bot in bots if isinstance(bot, MulticastBot)]
    return FeedFigures(listeners) if listeners else None
