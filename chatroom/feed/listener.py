"""A listener: the events of a room from its multicast feed, each once and in order."""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, NamedTuple, TypedDict

import trio
from msgspec import MsgspecError

from chatroom.event import decode_event
from chatroom.feed.beside import beside
from chatroom.feed.group import (
    Group,
    check_group,
    default_interface,
    kernel_drops,
    open_asking,
    split_host_port,
)
from chatroom.feed.line import Address, Line, WantedLine
from chatroom.feed.reassembly import (
    Outcome,
    Reassembly,
    Request,
    SessionBegan,
    SessionEnded,
)
from chatroom.feed.sessions import Introduction
from chatroom.feed.source import SESSION_SILENCE_SECONDS
from chatroom.feed.stream import Delivered, Lost
from chatroom.settings import DEFAULT_GROUP, DEFAULT_PORT

if TYPE_CHECKING:
    from chatroom.event import Event
    from chatroom.feed.seal import Keyring
    from chatroom.feed.statistics import ListenerStatistics
    from chatroom.protocol.answers import FeedKey

#: Datagrams taken from each socket in one wake. One `await` for each loses 40 % at 40,000 a second;
#: up to 64 a wake lose almost none, and others get their turn between wakes.
DATAGRAMS_AT_ONCE = 64
#: Longer than any UDP payload.
_LONGEST = 65_536


@dataclass(frozen=True)
class Wanted:
    """What to listen to."""

    lines: Sequence[WantedLine]
    """Groups that have the same feed."""
    start: int | None = None
    """The first number wanted, of the session heard first; None: what comes from now on."""
    keyring: Keyring | None = None
    """Opens a sealed feed."""


class Place(NamedTuple):
    """Where a feed comes on."""

    group: str = DEFAULT_GROUP
    port: int = DEFAULT_PORT + 1
    request_port: int | None = None  #: where to ask at the address that it comes from, if known


class ListenOptions(TypedDict, total=False):
    """The arguments of `listen` that are the same for every group."""

    interface: str | None
    request: str | None
    start: int | None


class Listener:
    """A listener of one feed, on one group or on several: what comes first is taken, and what comes
    on none is asked for. Made by `listen`; iterating it gives events, `Lost`, `SessionBegan`
    and `SessionEnded`.

    No task does its work: datagrams are taken, and repairs asked for, while someone waits in it.
    Who does something else for long leaves the work to the socket's buffer, and what does not
    fit that is asked for again.
    """

    def __init__(self, wanted: Wanted) -> None:
        """Open the sockets. Raises `ChatroomError` if a group can't be joined, and `OSError`
        if the address for requests can't be found out."""
        self._keyring = wanted.keyring
        self._reassembly = Reassembly(wanted.start, keyring=wanted.keyring)
        self._puzzled = trio.Event()
        with ExitStack() as opened:
            self._lines = [_opened(line, opened) for line in wanted.lines]
            opened.pop_all()
        self._ask = open_asking(self._lines[0].group.family)
        # A task can wait for one descriptor only, and a task for each socket would cost a hop for
        # every datagram: while answers are due both sockets are in this one. At other times the
        # group's, if there is one only, is waited for by itself, which saves its sender a wake-up
        # for each datagram.
        self._both = select.epoll()
        self._both.register(self._ask, select.EPOLLIN)
        self._waiting: deque[Outcome] = deque()

    def close(self) -> None:
        """Leave the groups."""
        self._both.close()
        for line in self._lines:
            line.socket.close()
        self._ask.close()

    @property
    def where(self) -> str:
        """The groups, for people."""
        return " and ".join(str(line.group) for line in self._lines)

    def introduce(
        self, introduction: Introduction, keys: Sequence[FeedKey], server: int = 0
    ) -> None:
        """What a server itself says of its feed; `server`: which of several it is. Raises
        `ChatroomError` for a key that is none. For a sealed feed only.
        """
        assert self._keyring is not None
        now = time.monotonic()
        self._keyring.take(keys, now, server)
        if self._puzzled.is_set():  # else somebody may be waiting for this one
            self._puzzled = trio.Event()
        self._reassembly.introduce(introduction, now, server)

    async def wait_puzzled(self) -> None:
        """Wait until something came that only `introduce` would explain: a key that is not known,
        another session, or an end. It may have been anybody's. Cancelled, nothing is lost.
        """
        await self._puzzled.wait()

    @property
    def statistics(self) -> ListenerStatistics:
        """The counts so far."""
        counts = self._reassembly.statistics
        if self._ask.fileno() >= 0:
            sockets = [*(line.socket for line in self._lines), self._ask]
            counts.kernel_drops = sum(map(kernel_drops, sockets))
        return counts

    def filenos(self) -> list[int]:
        """The descriptors of all sockets, for a poller of one's own: when one is readable,
        `receive_nowait` finds something."""
        return [*(line.socket.fileno() for line in self._lines), self._ask.fileno()]

    @property
    def deadline(self) -> float:
        """When `receive_nowait` is to be called although nothing came: `time.monotonic()`'s clock;
        infinity if nothing is missing."""
        return self._reassembly.deadline

    def receive_nowait(self) -> list[Outcome]:
        """Take what has come, ask for what is missing, and return what can be delivered."""
        now = time.monotonic()
        taken = sum([self._drain(number, line, now) for number, line in enumerate(self._lines)])
        # An answer comes only to a question; one that is late is taken when nothing else is there.
        if not taken or self._reassembly.deadline != inf:
            self._drain_answers(now)
        if self._reassembly.deadline <= now:
            for request in self._reassembly.poll(now):
                self._send(request)
        keyring = self._keyring
        if keyring is not None and (keyring.lacks_key or self._reassembly.puzzled):
            self._puzzled.set()
        return self._reassembly.take_outcomes()

    async def receive(self) -> list[Outcome]:
        """Wait until something can be delivered; messages as they came, as bytes.

        Cancelled, nothing is lost: the next call goes on.
        """
        while True:
            await self.wait_for_work()
            if outcomes := self.receive_nowait():
                return outcomes

    async def wait_for_work(self) -> None:
        """Wait until `receive_nowait` is to be called. Cancelled, nothing is lost."""
        deadline = self._reassembly.deadline
        if deadline == inf and len(self._lines) == 1:
            await trio.lowlevel.wait_readable(self._lines[0].socket)
            return
        for line in self._lines:
            self._both.register(line.socket, select.EPOLLIN)
        try:
            with trio.move_on_after(max(0.0, deadline - time.monotonic())):
                await trio.lowlevel.wait_readable(self._both.fileno())
        finally:
            for line in self._lines:
                self._both.unregister(line.socket)

    async def watch(self) -> None:
        """Until cancelled: join where an interface has come back as another, which the kernel does
        not do by itself. Beside `receive`, which would pay for it with each datagram.
        """
        while True:
            await trio.sleep(SESSION_SILENCE_SECONDS)
            now = time.monotonic()
            self._reassembly.statistics.rejoined += sum(
                [line.join_again(now) for line in self._lines]
            )

    def finish(self) -> list[Outcome]:
        """The last outcomes: what waits for something missing, and what is missing, as lost."""
        self._reassembly.finish()
        return self._reassembly.take_outcomes()

    def __aiter__(self) -> Listener:
        return self

    async def __anext__(self) -> Event | Lost | SessionBegan | SessionEnded:
        """The next of them, in order. Cancelled, nothing is lost: it comes next time."""
        while True:
            while not self._waiting:
                self._waiting += await self.receive()
            outcome = self._waiting.popleft()
            if not isinstance(outcome, Delivered):
                return outcome
            try:
                return decode_event(outcome.message)
            except MsgspecError:  # whoever sends that is no room of this project's
                self._reassembly.statistics.ignored += 1

    def _drain(self, number: int, line: Line, now: float) -> int:
        receive, take = line.socket.recvfrom, self._reassembly.receive
        for count in range(DATAGRAMS_AT_ONCE):
            try:
                datagram, source = receive(_LONGEST)
            except OSError:  # nothing more, or the interface is down
                return count
            if take(datagram, now, source, number):
                line.hear(source, now)
        return DATAGRAMS_AT_ONCE

    def _drain_answers(self, now: float) -> None:
        for _ in range(DATAGRAMS_AT_ONCE):
            try:
                datagram, source = self._ask.recvfrom(_LONGEST)
            except BlockingIOError:
                return
            except OSError:
                continue  # an error that an earlier request met, such as a port that is closed
            if any(line.answers_from(source) for line in self._lines):
                self._reassembly.receive_answer(datagram, now)
            else:
                self._reassembly.statistics.ignored += 1

    def _send(self, request: Request) -> None:
        for target in self._targets(request):
            with suppress(OSError):  # as if the network had lost it: it is asked again
                self._ask.sendto(request.packet, target)

    def _targets(self, request: Request) -> Sequence[Address]:
        """Whom to ask: who was heard last and so is there, most surely; all, if no answer came."""
        lines = [line for line in self._lines if line.request_address is not None]
        if request.tries == 1 and lines:
            lines = [max(lines, key=lambda line: line.heard_at)]
        return [line.request_address for line in lines]


def _opened(wanted: WantedLine, opened: ExitStack) -> Line:
    line = Line(wanted)
    opened.callback(line.socket.close)
    return line


@asynccontextmanager
async def open_listener(
    options: ListenOptions, places: Sequence[Place], keyring: Keyring | None = None
) -> AsyncIterator[Listener]:
    """As `chatroom.listen` without a server, on one or several groups; `keyring` opens a sealed
    feed. Raises `ValueError` for two groups of which one is IPv4 and one IPv6.
    """
    groups = [_group_at(place, options.get("interface")) for place in places]
    if len({group.family for group in groups}) > 1:
        raise ValueError("the groups are to be of one version of IP")
    request, target = options.get("request"), None
    if request is not None:
        host, asked_port = split_host_port(request)
        found = await trio.socket.getaddrinfo(host, asked_port, groups[0].family, socket.SOCK_DGRAM)
        target = found[0][4]
    lines = [
        WantedLine(group, target, place.request_port)
        for group, place in zip(groups, places, strict=True)
    ]
    listener = Listener(Wanted(lines, options.get("start"), keyring))
    try:
        async with beside(listener.watch):
            yield listener
    finally:
        listener.close()


def _group_at(place: Place, interface: str | None) -> Group:
    check_group(place.group)
    return Group(place.group, place.port, interface or default_interface(place.group))
