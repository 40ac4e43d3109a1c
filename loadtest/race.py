"""One talker, one listener of the feed and one TCP reader: how soon each hears a message."""

from __future__ import annotations

import select
import socket
import statistics
import time
from typing import Protocol

from chatroom.errors import ChatroomError
from chatroom.feed.group import Group
from chatroom.feed.line import WantedLine
from chatroom.feed.listener import Listener, Wanted
from chatroom.feed.stream import Delivered
from chatroom.settings import DEFAULT_GROUP


class Addressed(Protocol):
    """A server on this host."""

    port: int


class _Racer:
    """Reads messages whose text is when they were due, in ns of the monotonic clock."""

    def __init__(self) -> None:
        self.latencies_us: list[float] = []

    def hear(self, record: bytes) -> None:
        at = time.monotonic_ns()
        _, found, text = record.partition(b'"text":"at ')
        if found:
            self.latencies_us.append((at - int(text.partition(b'"')[0])) / 1000)


class _TcpReader(_Racer):
    def __init__(self, port: int) -> None:
        super().__init__()
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(b'/json {"presence":false}\n')
        self.socket.recv(65536)  # the welcome: it is in the room
        self.socket.setblocking(False)
        self._partial = b""

    def read(self) -> None:
        *lines, self._partial = (self._partial + self.socket.recv(65536)).split(b"\n")
        for line in lines:
            self.hear(line)


class _FeedReader(_Racer):
    def __init__(self, port: int) -> None:
        super().__init__()
        group = Group(DEFAULT_GROUP, port + 1, "127.0.0.1")
        self.listener = Listener(Wanted([WantedLine(group)]))

    def read(self) -> None:
        for outcome in self.listener.receive_nowait():
            if isinstance(outcome, Delivered):
                self.hear(outcome.message)


def race(server: Addressed, rate: int, seconds: float) -> tuple[float, float]:
    """The median latencies, in µs, of the listener and of the TCP reader, from when each message
    was due. Raises `ChatroomError` if not both have heard all.
    """
    feed, tcp = _FeedReader(server.port), _TcpReader(server.port)
    with (
        select.epoll() as ready,
        socket.create_connection(("127.0.0.1", server.port)) as talker,
        tcp.socket,
    ):
        talker.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        talker.sendall(b"/nick talker\n")
        for descriptor in feed.listener.filenos():
            ready.register(descriptor, select.EPOLLIN)
        ready.register(tcp.socket, select.EPOLLIN)
        begin, sent = time.monotonic() + 0.2, 0
        while (now := time.monotonic()) < begin + seconds + 0.2:
            due = begin + sent / rate
            if now >= due and sent < rate * seconds:
                talker.sendall(b"at %d\n" % int(due * 1e9))
                sent += 1
                continue
            events = ready.poll(max(0.0, due - now) if sent < rate * seconds else 0.05)
            descriptors = {descriptor for descriptor, _ in events}
            # Where both are there at once neither is to gain by it, so they take turns.
            for racer in (feed, tcp) if sent % 2 else (tcp, feed):
                if racer is tcp and tcp.socket.fileno() in descriptors:
                    tcp.read()
                elif racer is feed and descriptors.intersection(feed.listener.filenos()):
                    feed.read()
    feed.listener.close()
    for name, racer in (("listener", feed), ("TCP reader", tcp)):
        if len(racer.latencies_us) != sent:
            raise ChatroomError(f"the {name} heard {len(racer.latencies_us)} of {sent} messages")
    return statistics.median(feed.latencies_us), statistics.median(tcp.latencies_us)
