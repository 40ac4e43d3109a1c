"""What two people who talk notice of one who floods the room.

`python -m loadtest flood` prints a Markdown table. Both say 50 messages a second, each hears the
other's; the flooder says lines of one byte, or of 100, as fast as it is read. The quiet room and
the flooded ones are measured in turn, in the same run, and compared.
"""

from __future__ import annotations

import select
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from statistics import median
from typing import Any, NamedTuple

from chatroom.settings import DEFAULT_HOST
from loadtest.rows import Row
from loadtest.serving import pinned, serving
from loadtest.started import started

MODES = ("epoll", "thread")
SIZES = (1, 100)  #: bytes of the flooder's lines

RATE = 50  #: messages a second of each of the two
SETTLE_SECONDS = 1.0  #: before anything counts: the flooder's burst is over then

#: What `loadtest.serving` turns off.
LIMITED = ("--talk-rate", "50")

MOST_TIMES = 1.5  #: the quiet room's p99, with limits
MOST_SECONDS = 0.02  #: p99 without


class Heard(NamedTuple):
    """What the two have heard of each other."""

    p50_seconds: float
    p99_seconds: float
    lost: int  #: messages that did not come, or whose reader was closed


class _Person:
    """Says when it speaks, in ns of the monotonic clock, and hears the other do so."""

    def __init__(self, port: int, nick: str) -> None:
        self.latencies_ns: list[int] = []
        self.said = 0
        self.socket = socket.create_connection((DEFAULT_HOST, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(b'/json {"nick":"%b","presence":false}\n' % nick.encode())
        self._part = b""
        while b'"kind":"welcome"' not in self._part:
            self._part += self.socket.recv(65_536)

    def say(self, *, counts: bool) -> None:
        self.said += counts
        at = time.monotonic_ns() if counts else 0
        self.socket.sendall(b'{"kind":"message","text":"at %d"}\n' % at)

    def hear(self) -> bool:
        """Take what has come; False at the end of the stream."""
        chunk = self.socket.recv(1 << 18)
        now = time.monotonic_ns()
        *lines, self._part = (self._part + chunk).split(b"\n")
        for line in lines:
            _, found, text = line.partition(b'"text":"at ')
            if found and (at := int(text.partition(b'"')[0])):
                self.latencies_ns.append(now - at)
        return bool(chunk)


def talk(port: int, seconds: float) -> Heard:
    """Let two people talk for so long."""
    people = [_Person(port, "alice"), _Person(port, "bob")]
    there = {person.socket.fileno(): person for person in people}
    begin = time.monotonic()
    counted_from, end = begin + SETTLE_SECONDS, begin + SETTLE_SECONDS + seconds
    said = 0
    while (now := time.monotonic()) < end + SETTLE_SECONDS and there:
        # They take turns, so that each speaks into a room that is at rest.
        due = begin + said / (2 * RATE)
        if due <= now < end:
            people[said % 2].say(counts=now >= counted_from)
            said += 1
            continue
        waiting = (due if due < end else end + SETTLE_SECONDS) - now
        for descriptor in select.select(list(there), [], [], max(0.0, waiting))[0]:
            if not there[descriptor].hear():
                del there[descriptor]
    for person in people:
        person.socket.close()
    latencies = sorted(ns / 1e9 for person in people for ns in person.latencies_ns)
    if not latencies:
        return Heard(seconds, seconds, sum(person.said for person in people))
    lost = sum(person.said for person in people) - len(latencies)
    return Heard(median(latencies), latencies[len(latencies) * 99 // 100], lost)


def _flooded(port: int, size: int) -> AbstractContextManager[Any]:
    """While a flooder talks; none, if `size` is 0."""
    if not size:
        return nullcontext()
    return started([*pinned(1), sys.executable, "-m", "loadtest.flooder", str(port), str(size)])


def _heard(mode: str, size: int, seconds: float, *options: str) -> Heard:
    options = ("--no-multicast", "--mode", mode, *options)
    with serving(pinned(0), *options) as server, _flooded(server.port, size) as flooder:
        if flooder is not None:
            flooder.wait_for("in")
        return talk(server.port, seconds)


def measure(repeat: int, seconds: float) -> Iterator[Row]:
    """The rows of the table, each as soon as it is there: medians of `repeat` runs."""
    for mode in MODES:
        quiet: list[Heard] = []
        limited: dict[int, list[Heard]] = {size: [] for size in SIZES}
        free: dict[int, list[Heard]] = {size: [] for size in SIZES}
        for _ in range(repeat):
            quiet.append(_heard(mode, 0, seconds, *LIMITED))
            for size in SIZES:
                limited[size].append(_heard(mode, size, seconds, *LIMITED))
                free[size].append(_heard(mode, size, seconds))
        yield Row(f"{mode}: the quiet room", _figure(quiet), "", not _lost(quiet))
        for size in SIZES:
            yield _row_limited(f"{mode}: a flood of {size}-byte lines", limited[size], quiet)
        for size in SIZES:
            name = f"{mode}: the same of {size}-byte lines, --talk-rate 0"
            reached = _p99(free[size]) <= MOST_SECONDS and not _lost(free[size])
            bar = f"p99 at most {MOST_SECONDS * 1000:g} ms, nobody closed"
            yield Row(name, _figure(free[size]), bar, reached)


def _row_limited(name: str, flooded: list[Heard], quiet: list[Heard]) -> Row:
    times = _p99(flooded) / _p99(quiet)
    figure = f"{_figure(flooded)}; {times:.2f} x the quiet room's p99"
    reached = times <= MOST_TIMES and not _lost(flooded)
    return Row(name, figure, f"at most {MOST_TIMES:g} x, nobody closed", reached)


def _p99(heard: list[Heard]) -> float:
    return median(one.p99_seconds for one in heard)


def _lost(heard: list[Heard]) -> int:
    return sum(one.lost for one in heard)


def _figure(heard: list[Heard]) -> str:
    p50 = median(one.p50_seconds for one in heard)
    lost = f", {_lost(heard)} lost" if _lost(heard) else ""
    return f"p50 {p50 * 1000:.2f} ms, p99 {_p99(heard) * 1000:.2f} ms{lost}"
