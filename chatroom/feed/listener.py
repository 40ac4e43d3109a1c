"""A listener: the events of a room from its multicast feed, each once and in order."""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, TypedDict

import trio
from msgspec import MsgspecError

from chatroom.event import decode_event
from chatroom.feed.group import (
    Group,
    check_group,
    default_interface,
    kernel_drops,
    open_asking,
    open_listening,
    split_host_port,
)
from chatroom.feed.reassembly import (
    Introduction,
    Outcome,
    Reassembly,
    SessionBegan,
    SessionEnded,
)
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

_Address = Any  # what the socket module says about where a datagram came from


@dataclass(frozen=True)
class Wanted:
    """What to listen to."""

    group: Group
    request: _Address | None = None
    """Where to ask again; None: the address the feed comes from, at the feed's port + 1."""
    start: int | None = None
    """The first number wanted, of the session heard first; None: what comes from now on."""
    keyring: Keyring | None = None
    """Opens a sealed feed."""
    request_port: int | None = None
    """Where `request` is None: the port; None: the feed's port + 1."""


class ListenOptions(TypedDict, total=False):
    """The arguments of `listen`."""

    group: str
    port: int
    interface: str | None
    request: str | None
    start: int | None


class Listener:
    """A listener of one feed. Made by `listen`; iterating it gives events, `Lost`, `SessionBegan`
    and `SessionEnded`.

    There is no task behind it: datagrams are taken, and repairs asked for, while someone waits in
    it. Who does something else for long leaves the work to the socket's buffer, and what does not
    fit that is asked for again.
    """

    def __init__(self, wanted: Wanted) -> None:
        """Open the sockets. Raises `ChatroomError` if the group can't be joined, and `OSError`
        if the address for requests can't be found out."""
        self.group = wanted.group
        self._keyring = wanted.keyring
        self._reassembly = Reassembly(wanted.start, keyring=wanted.keyring)
        self._request_port = wanted.request_port or wanted.group.port + 1
        self._puzzled = trio.Event()
        self._given_request = wanted.request
        self._source: _Address = None
        self._feed = open_listening(wanted.group)
        self._ask = open_asking(wanted.group.family)
        # A task can wait for one descriptor only, and a task for each socket would cost a hop for
        # every datagram: while answers are due both sockets are in this one. At other times the
        # group's is waited for by itself, which saves its sender a wake-up for each datagram.
        self._both = select.epoll()
        self._both.register(self._ask, select.EPOLLIN)
        self._waiting: deque[Outcome] = deque()

    def close(self) -> None:
        """Leave the group."""
        self._both.close()
        self._feed.close()
        self._ask.close()

    def introduce(self, introduction: Introduction, keys: Sequence[FeedKey]) -> None:
        """What the server itself says of its feed. Raises `ChatroomError` for a key that is none.
        For a sealed feed only.
        """
        assert self._keyring is not None
        now = time.monotonic()
        self._keyring.take(keys, now)
        self._puzzled = trio.Event()
        self._reassembly.introduce(introduction, now)

    async def wait_puzzled(self) -> None:
        """Wait until something came that only `introduce` would explain: a key that is not known,
        another session, or an end. It may have been anybody's. Cancelled, nothing is lost.
        """
        await self._puzzled.wait()

    @property
    def statistics(self) -> ListenerStatistics:
        """The counts so far."""
        counts = self._reassembly.statistics
        if self._feed.fileno() >= 0:
            counts.kernel_drops = kernel_drops(self._feed) + kernel_drops(self._ask)
        return counts

    def filenos(self) -> tuple[int, int]:
        """The descriptors of both sockets, for a poller of one's own: when one is readable,
        `receive_nowait` finds something."""
        return self._feed.fileno(), self._ask.fileno()

    @property
    def deadline(self) -> float:
        """When `receive_nowait` is to be called although nothing came: `time.monotonic()`'s clock;
        infinity if nothing is missing."""
        return self._reassembly.deadline

    def receive_nowait(self) -> list[Outcome]:
        """Take what has come, ask for what is missing, and return what can be delivered."""
        now = time.monotonic()
        taken = self._drain_feed(now)
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
        if deadline == inf:
            await trio.lowlevel.wait_readable(self._feed)
            return
        self._both.register(self._feed, select.EPOLLIN)
        try:
            with trio.move_on_after(max(0.0, deadline - time.monotonic())):
                await trio.lowlevel.wait_readable(self._both.fileno())
        finally:
            self._both.unregister(self._feed)

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

    def _drain_feed(self, now: float) -> int:
        receive, take = self._feed.recvfrom, self._reassembly.receive
        for number in range(DATAGRAMS_AT_ONCE):
            try:
                datagram, source = receive(_LONGEST)
            except OSError:  # nothing more, or the interface is down
                return number
            if take(datagram, now, source):
                self._source = source
        return DATAGRAMS_AT_ONCE

    def _drain_answers(self, now: float) -> None:
        for _ in range(DATAGRAMS_AT_ONCE):
            try:
                datagram, source = self._ask.recvfrom(_LONGEST)
            except BlockingIOError:
                return
            except OSError:
                continue  # an error that an earlier request met, such as a port that is closed
            target = self._request_address()
            if target is not None and _bare(source) == _bare(target):
                self._reassembly.receive_answer(datagram, now)
            else:
                self._reassembly.statistics.ignored += 1

    def _send(self, request: bytes) -> None:
        target = self._request_address()
        if target is not None:
            with suppress(OSError):  # as if the network had lost it: it is asked again
                self._ask.sendto(request, target)

    def _request_address(self) -> _Address:
        if self._given_request is not None:
            return self._given_request
        if self._source is None:
            return None
        host, _, *rest = self._source
        return (host, self._request_port, *rest)


def _bare(address: _Address) -> tuple[str, int]:
    """Host and port, without the interface that IPv6 may put behind a host."""
    return address[0].partition("%")[0], address[1]


@asynccontextmanager
async def open_listener(
    options: ListenOptions, keyring: Keyring | None = None, request_port: int | None = None
) -> AsyncIterator[Listener]:
    """As `chatroom.listen` without a server; `keyring` opens a sealed feed, and `request_port` is
    where to ask at the address that the feed comes from.
    """
    group, port = options.get("group", DEFAULT_GROUP), options.get("port", DEFAULT_PORT + 1)
    check_group(group)
    where = Group(group, port, options.get("interface") or default_interface(group))
    request, target = options.get("request"), None
    if request is not None:
        host, asked_port = split_host_port(request)
        found = await trio.socket.getaddrinfo(host, asked_port, where.family, socket.SOCK_DGRAM)
        target = found[0][4]
    listener = Listener(Wanted(where, target, options.get("start"), keyring, request_port))
    try:
        yield listener
    finally:
        listener.close()
