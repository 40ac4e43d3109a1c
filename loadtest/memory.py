"""What a connection costs the server in memory, by the format that it speaks.

`python -m loadtest memory` prints a Markdown table. Where the system does not let a process have
100,000 descriptors, what so many would take is told from what as many as it may have do take.
"""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NamedTuple

from loadtest.rows import Row
from loadtest.running import Running
from loadtest.serving import pinned, serving

CROWD = 10_000
CROWD_MB = 70
LARGE_CROWD = 100_000
LARGE_CROWD_MB = 700

#: A process's own descriptors, beside those of its connections.
_SPARE_DESCRIPTORS = 200

#: Connections from one address: well under the ports that there are.
_AN_ADDRESS = 20_000

#: ip(7); Python has no name for it before 3.12.
_IP_BIND_ADDRESS_NO_PORT = 24

#: Made at once, before the server is waited for.
_AT_ONCE = 256


class Format(NamedTuple):
    """How somebody comes in, and what says that they are."""

    name: str
    hello: Callable[[int], bytes]
    welcome: bytes


FORMATS = (
    Format("plain", lambda number: b"/nick member%d\n" % number, b" you are "),
    Format("JSON Lines", lambda number: b'/json {"nick":"member%d"}\n' % number, b'"welcome"'),
    Format(
        "IRC",
        lambda number: b"NICK member%d\r\nUSER u 0 * :r\r\nJOIN #lobby\r\n" % number,
        b" 366 ",
    ),
)


class Crowd:
    """Members that only listen. Their sockets are closed with `stack`."""

    def __init__(self, port: int, form: Format, stack: ExitStack) -> None:
        self._port = port
        self._form = form
        self._stack = stack
        self._sockets: list[socket.socket] = []

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self._sockets)

    def drain(self) -> None:
        """Read until everybody has read something."""
        for sock in self._sockets:
            sock.recv(65_536)

    def grow(self, size: int) -> None:
        """Be `size` in all."""
        while self.size < size:
            batch = [self._enter() for _ in range(min(_AT_ONCE, size - self.size))]
            for sock in batch:
                said = b""
                while self._form.welcome not in said:
                    said += sock.recv(65_536)

    def _enter(self) -> socket.socket:
        sock = self._stack.enter_context(socket.socket())
        # The port is taken at `connect`: one that another crowd has or had is free for this one.
        sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((f"127.0.0.{2 + self.size // _AN_ADDRESS}", 0))
        sock.connect(("127.0.0.1", self._port))
        sock.sendall(self._form.hello(self.size))
        self._sockets.append(sock)
        return sock


def take_descriptors() -> int:
    """Have as many descriptors as this process may; how many that is."""
    _, descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    return descriptors


def measure() -> Iterator[Row]:
    """Measure, and compare with what is wanted."""
    descriptors = take_descriptors()
    most = min(LARGE_CROWD, descriptors - _SPARE_DESCRIPTORS)
    for form in FORMATS:
        yield from crowded(form, min(CROWD, most), most if form is FORMATS[0] else 0)


def crowded(form: Format, crowd: int, large_crowd: int) -> Iterator[Row]:
    """The rows of one format; a `large_crowd` that is no larger than the other one has none."""
    room = ("--max-clients", f"{max(crowd, large_crowd) + 1}")
    with serving(pinned(0), *room) as server, ExitStack() as stack:
        running = Running(server.pid, server.port)
        nobody = running.resident_bytes()
        members = Crowd(server.port, form, stack)
        members.grow(crowd)
        some = running.resident_bytes()
        yield _row(f"{crowd:,} connected, {form.name}", some, CROWD_MB)
        cost = (some - nobody) / crowd
        yield Row("nobody connected", f"{nobody / 1e6:.0f} MB", "", True)
        yield Row("a connection", f"{cost / 1024:.1f} KB", "", True)
        if large_crowd > crowd:
            members.grow(large_crowd)
            many = running.resident_bytes()
            yield _row(f"{large_crowd:,} connected", many, LARGE_CROWD_MB)
            if large_crowd < LARGE_CROWD:
                all_bytes = nobody + (many - nobody) / large_crowd * LARGE_CROWD
                yield _row(f"{LARGE_CROWD:,} at that rate", all_bytes, LARGE_CROWD_MB)


def _row(name: str, size_bytes: float, bar_mb: int) -> Row:
    size_mb = size_bytes / 1e6
    return Row(name, f"{size_mb:.0f} MB", f"≤ {bar_mb} MB", size_mb <= bar_mb)
