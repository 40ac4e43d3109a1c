"""One batch to a large audience: sent by one thread, and shared by several.

Only the sends, as `chatroom.server.fanout.audience` does them, and nobody reads meanwhile: what is
seen is what a turn could gain. The sockets are drained between the rounds.
"""

from __future__ import annotations

import resource
import socket
import statistics
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue
from time import perf_counter

from loadtest.rows import Row

LINE = b"talker: " + b"x" * 100 + b"\n"
AUDIENCES = (100, 1_000, 5_000)
THREADS = 2
SHARE = 0.85  #: of one thread's time: what sharing has to reach to be worth its lines
RUN_SENDS = 20_000  #: sends of each way in a run
SWITCH_SECONDS = (0.005, 0.0001)

Send = Callable[[bytes], int]


def send_all(sends: Sequence[Send]) -> None:
    """The innermost loop of the room."""
    for send in sends:
        send(LINE)


class Senders:
    """Threads that each own a fixed part of the audience, beside the one that calls."""

    def __init__(self, sends: Sequence[Send]) -> None:
        self._parts = [sends[part::THREADS] for part in range(THREADS)]
        self._to_do: list[SimpleQueue[bool]] = [SimpleQueue() for _ in range(THREADS - 1)]
        self._done: SimpleQueue[bool] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, args=(self._parts[number], to_do))
            for number, to_do in enumerate(self._to_do, 1)
        ]
        for thread in self._threads:
            thread.start()

    def _work(self, part: Sequence[Send], to_do: SimpleQueue[bool]) -> None:
        while to_do.get():
            send_all(part)
            self._done.put(True)

    def send_all(self) -> None:
        """Returns when all have sent."""
        for to_do in self._to_do:
            to_do.put(True)
        send_all(self._parts[0])
        for _ in self._to_do:
            self._done.get()

    def stop(self) -> None:
        """Returns when the threads have ended."""
        for to_do in self._to_do:
            to_do.put(False)
        for thread in self._threads:
            thread.join()


@contextmanager
def audience(size: int) -> Iterator[tuple[list[Send], Callable[[], None]]]:
    """The ways out to so many TCP connections, and what drains them."""
    with ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        sends: list[Send] = []
        readers: list[socket.socket] = []
        for _ in range(size):
            reader = opened.enter_context(socket.create_connection(listener.getsockname()))
            ours = opened.enter_context(listener.accept()[0])
            ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ours.setblocking(False)
            sends.append(ours.send)
            readers.append(reader)

        def drain() -> None:
            for reader in readers:
                reader.recv(65536)

        yield sends, drain


def measure(repeat: int, seconds: float) -> Iterator[Row]:
    """A row for each size of the audience and each switch interval of the interpreter's lock."""
    del seconds  # as many rounds as it takes for so many sends
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    before = sys.getswitchinterval()
    try:
        for size in AUDIENCES:
            with audience(size) as (sends, drain):
                for switch_seconds in SWITCH_SECONDS:
                    sys.setswitchinterval(switch_seconds)
                    yield _compare(sends, drain, repeat, switch_seconds)
    finally:
        sys.setswitchinterval(before)


def _compare(
    sends: Sequence[Send], drain: Callable[[], None], repeat: int, switch_seconds: float
) -> Row:
    senders = Senders(sends)
    alone: list[float] = []
    shared: list[float] = []
    ways: list[tuple[list[float], Callable[[], None]]] = [
        (alone, lambda: send_all(sends)),
        (shared, senders.send_all),
    ]
    try:
        for _ in range(repeat * max(RUN_SENDS // len(sends), 1)):
            for times, send in ways:
                begun = perf_counter()
                send()
                times.append(perf_counter() - begun)
                drain()
    finally:
        senders.stop()
    one, several = statistics.median(alone), statistics.median(shared)
    name = f"{len(sends):,} readers, {THREADS} threads, switch {switch_seconds * 1000:g} ms"
    figure = f"{several * 1000:.2f} ms, alone {one * 1000:.2f} ms: {several / one:.2f} of it"
    return Row(name, figure, f"≤ {SHARE} of it", several <= SHARE * one)
