"""The memory of a server whose readers do not read: bounded, and given back when they go.

A process of its own, because it is a process's memory that is measured.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from chatroom.settings import MEMORY_BUDGET_BYTES
from tests.cli.running import ServerProcess

#: The thread mode has two threads for each: twice as many make a test of a minute.
READERS = {"epoll": 2000, "thread": 1000}
MIB = 1024 * 1024

#: The thread mode has two thousand threads: on a busy machine all of that takes its time.
PATIENCE_SECONDS = 60

#: What a connection takes that nothing waits for; the thread mode's two threads have stacks.
CONNECTION_BYTES = {"epoll": 16 * 1024, "thread": 80 * 1024}

#: What the readers share (the outbox limit, in each format), the history, and the C library's
#: idea of order.
OTHER_BYTES = 64 * MIB

#: The longest text: what is said most cheaply and takes most to keep.
LONG = "x" * 1000


@pytest.fixture
def descriptors() -> Iterator[None]:
    """As many as the readers take, beside the tests' own."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (max(before[0], max(READERS.values()) + 1000), before[1])
    )
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Memory:
    """What a process keeps in memory, from `/proc`."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def _read(self, field: str) -> int:
        with open(f"/proc/{self._pid}/status", encoding="ascii") as status:
            line = next(line for line in status if line.startswith(field))
        return int(line.split()[1]) * 1024

    @property
    def now(self) -> int:
        return self._read("VmRSS:")

    @property
    def peak(self) -> int:
        return self._read("VmHWM:")


def _crowd(
    server: ServerProcess, opened: contextlib.ExitStack, readers: int
) -> list[socket.socket]:
    """Readers that will not read: a small buffer in the kernel, and nobody who empties it."""
    crowd = []
    for _ in range(readers):
        sock = opened.enter_context(socket.socket())
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", server.port))
        sock.sendall(b'/json {"presence":false}\n')
        crowd.append(sock)
    for sock in crowd:
        assert b"welcome" in sock.recv(4096)
    return crowd


def _speak(server: ServerProcess, speakers: int) -> None:
    """100 KB by each, one after the other: nobody hears more than it reads."""
    for number in range(speakers):
        with server.knock() as speaker:
            speaker.socket.settimeout(PATIENCE_SECONDS)
            speaker.say(f"/nick speaker{number}")
            speaker.say(*[LONG] * 100, "/ping")
            while (line := speaker.line()) != "-- pong":
                assert line, "the speaker was closed"


def test_readers_that_stop_reading_while_the_room_floods(mode: str, descriptors: None) -> None:
    options = ("--mode", mode, "--outbox-limit", str(MIB // 2), "--write-deadline", "30")
    with ServerProcess(*options) as server, contextlib.ExitStack() as opened:
        memory = Memory(server.process.pid)
        _speak(server, 4)
        before = memory.now
        crowd = _crowd(server, opened, READERS[mode])
        connected = memory.now
        assert connected - before <= READERS[mode] * CONNECTION_BYTES[mode]
        for sock in crowd:
            with contextlib.suppress(OSError):  # it has been closed for what it has asked
                sock.sendall(b'{"kind":"history","limit":1000}\n')
        # A quarter or half a gigabyte is asked for: it comes to the budget.
        _wait_until(lambda: memory.peak - connected >= MEMORY_BUDGET_BYTES * 5 // 8)
        _speak(server, 6)
        assert memory.peak - connected <= MEMORY_BUDGET_BYTES * 9 // 8 + OTHER_BYTES
        for sock in crowd:
            sock.close()
        _wait_until(lambda: memory.now - connected <= OTHER_BYTES // 2)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert all(record["level"] == "info" for record in server.rest_of_log())


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
