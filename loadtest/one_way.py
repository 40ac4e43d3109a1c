"""How long a message is under way from its talker to a reader, who may be on another server."""

from __future__ import annotations

import select
import socket
import time

from chatroom.errors import ChatroomError

_WARM_UP_SECONDS = 0.5


def one_way_us(talker_port: int, reader_port: int, rate: float, seconds: float) -> list[float]:
    """Microseconds from saying to hearing, of so many messages a second; both ends are plain.
    Raises `ChatroomError` if none was heard.
    """
    with _member(reader_port, "reader") as reader, _member(talker_port, "talker") as talker:
        latencies = _Latencies()
        interval, begin = 1 / rate, time.monotonic() + _WARM_UP_SECONDS
        due, end = time.monotonic(), begin + seconds
        ready = select.poll()
        ready.register(reader, select.POLLIN)
        while (now := time.monotonic()) < end:
            if now >= due:
                talker.sendall(b"at %d\n" % time.monotonic_ns())
                due += interval
            elif ready.poll((due - now) * 1000):
                latencies.hear(reader.recv(65536), measured=now >= begin)
    if not latencies.us:
        raise ChatroomError("no message was heard in the measured time: is this machine too busy?")
    return latencies.us


class _Latencies:
    def __init__(self) -> None:
        self.us: list[float] = []
        self._tail = b""

    def hear(self, chunk: bytes, *, measured: bool) -> None:
        at = time.monotonic_ns()
        *lines, self._tail = (self._tail + chunk).split(b"\n")
        for line in lines:
            _, said, sent_at = line.partition(b"talker: at ")
            if said and measured:
                self.us.append((at - int(sent_at)) / 1000)


def _member(port: int, nick: str) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.settimeout(10)
    sock.sendall(b"/nick %s\n/ping\n" % nick.encode())
    while b"-- pong" not in sock.recv(65536):
        pass
    return sock
