"""Members on bare sockets, for what the swarm does not measure: acks, a page of history, and a
fan-out that costs the load as little as it can.
"""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Sequence
from contextlib import closing

import msgspec

from chatroom.errors import ChatroomError

READERS = 100
FANOUT_IN_FLIGHT = 64
TALKERS = 100
IN_FLIGHT = 10  # of each


def warm_up_seconds(seconds: float) -> float:
    """How long the load runs before so long a measurement."""
    return min(1.0, seconds)


class Fanout:
    """One talker, at the first of the ports, and readers at all of them; plain."""

    def __init__(self, ports: Sequence[int], readers: int = READERS) -> None:
        """`readers`: how many in all."""
        self._talker = _plain(ports[0], "talker")
        self._readers = [_plain(ports[n % len(ports)], f"reader{n}") for n in range(readers)]
        self._selector = selectors.DefaultSelector()
        for reader in self._readers:
            self._selector.register(reader, selectors.EVENT_READ)
        self._line = b"x" * 100 + b"\n"
        self._talker.sendall(self._line * FANOUT_IN_FLIGHT)

    def run(self, seconds: float) -> int:
        """Keep 64 messages in flight for so long; how many were delivered."""
        end = time.perf_counter() + seconds
        delivered = 0
        while time.perf_counter() < end:
            for key, _ in self._selector.select(1):
                lines = key.fileobj.recv(1 << 20).count(b"\n")  # type: ignore[union-attr]
                if key.fileobj is self._readers[-1]:  # the last to be sent to: the others have it
                    self._talker.sendall(self._line * lines)
                delivered += lines
        return delivered

    def close(self) -> None:
        """All hang up."""
        self._selector.close()
        for sock in (self._talker, *self._readers):
            sock.close()


def deliveries_per_second(port: int, seconds: float) -> float:
    """One talker, 100 readers, 64 messages in flight, plain."""
    with closing(Fanout([port])) as fanout:
        fanout.run(warm_up_seconds(seconds))
        return fanout.run(seconds) / seconds


def _plain(port: int, nick: str) -> socket.socket:
    """A plain member that has been welcomed."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(f"/nick {nick}\n/ping\n".encode())
    said = b""
    while not said.endswith(b"-- pong\n"):
        said += sock.recv(65536)
    return sock


_ACK = b'{"kind":"ack","id":"'
_buffer = bytearray(1 << 20)


class _Talker:
    """Keeps IN_FLIGHT messages unacked, and takes the time from each to its ack."""

    def __init__(self, port: int, number: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hello = {"nick": f"talker{number}", "presence": False}
        self.sock.sendall(f"/json {json.dumps(hello)}\n".encode())
        self._tail = b""
        self._sent_at: dict[bytes, float] = {}
        self._number = 0

    def say(self, count: int) -> None:
        lines = []
        now = time.perf_counter()
        for _ in range(count):
            self._number += 1
            self._sent_at[b"%d" % self._number] = now
            lines.append(b'{"kind":"message","text":"%s","id":"%d"}\n' % (b"x" * 100, self._number))
        self.sock.sendall(b"".join(lines))

    def read(self) -> list[float]:
        """Seconds to each ack that came."""
        # Each gets what the 99 others say, too: to look at every line would make this the slower
        # side. Acks come in lines of their own, whose beginning is nowhere else.
        begin = len(self._tail)
        _buffer[:begin] = self._tail
        filled = begin + self.sock.recv_into(memoryview(_buffer)[begin:])
        now = time.perf_counter()
        end = _buffer.rfind(b"\n", 0, filled) + 1
        self._tail = bytes(_buffer[end:filled])
        taken = []
        at = _buffer.find(_ACK, 0, end)
        while at >= 0:
            close = _buffer.find(b'"', at + len(_ACK), end)
            taken.append(now - self._sent_at.pop(bytes(_buffer[at + len(_ACK) : close])))
            at = _buffer.find(_ACK, close, end)
        return taken


def ack_seconds(ports: Sequence[int], seconds: float) -> list[float]:
    """The times to the acks of clients that keep messages unacked, in ascending order. They are
    spread over the ports.

    Raises:
        ChatroomError: none came in the measured time.
    """
    selector = selectors.DefaultSelector()
    talkers = [_Talker(ports[n % len(ports)], n) for n in range(TALKERS)]
    for talker in talkers:
        selector.register(talker.sock, selectors.EVENT_READ, talker)
        talker.say(IN_FLIGHT)
    begin = time.perf_counter() + warm_up_seconds(seconds)
    taken: list[float] = []
    while (now := time.perf_counter()) < begin + seconds:
        for key, _ in selector.select(1):
            answered = key.data.read()
            if answered:
                key.data.say(len(answered))
            if now >= begin:
                taken += answered
    for talker in talkers:
        talker.sock.close()
    if not taken:
        raise ChatroomError(f"not one ack came within {seconds:g} s")
    return sorted(taken)


def page_seconds(port: int, which: dict[str, int]) -> float:
    """The time to 1,000 events of the history: those before a number, or the newest."""
    with socket.create_connection(("127.0.0.1", port)) as sock, sock.makefile("rb") as lines:
        sock.sendall(b"/json {}\n")
        lines.readline()
        begin = time.perf_counter()
        sock.sendall(msgspec.json.encode({"kind": "history", "limit": 1000, **which}) + b"\n")
        while b'"history"' not in (line := lines.readline())[:20]:
            pass
        taken = time.perf_counter() - begin
    assert len(json.loads(line)["events"]) == 1000
    return taken
