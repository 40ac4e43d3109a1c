"""What the journal costs the talk, and what it gives: acks, a restart, a page of history.

`python -m loadtest journal` prints a Markdown table. What concerns speed is measured with the
journal on disk and with `:memory:`, in turn, in the same run, and compared.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from chatroom.errors import ChatroomError
from chatroom.event import Event
from chatroom.journal.store import Store
from chatroom.settings import IN_MEMORY, Durability

READERS = 100
FANOUT_IN_FLIGHT = 64
TALKERS = 100
IN_FLIGHT = 10  # of each
KEPT_EVENTS = 1_000_000


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    what: str
    measured: str
    wanted: str
    reached: bool


@dataclass(frozen=True)
class Cores:
    """Where the server and the load run; None: anywhere."""

    server: int | None
    load: int | None


def cores() -> Cores:
    """The server on the first core that is allowed, the load on the second, if there are two."""
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(allowed[0], allowed[1]) if len(allowed) > 1 else Cores(None, None)


def _pinned(command: Sequence[str], core: int | None) -> list[str]:
    return [*(() if core is None else ("taskset", "-c", str(core))), *command]


@contextlib.contextmanager
def server(journal: str, directory: Path, core: int | None, *options: str) -> Iterator[int]:
    """A server on a free port, from its ready line to its clean end. Raises `ChatroomError` if it
    does not come to that line.
    """
    command = [sys.executable, "-m", "chatroom", "serve", "--port", "0", "--no-multicast"]
    command += ["--journal", journal, "--log-format", "json", *options]
    with subprocess.Popen(
        _pinned(command, core), cwd=directory, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            yield _ready_port(process.stderr)
        finally:
            process.send_signal(signal.SIGTERM)
            process.stderr.read()


def _ready_port(log: Any) -> int:
    for line in log:
        entry = json.loads(line) if line.startswith("{") else {}
        if "tcp" in entry:
            return int(entry["tcp"].rpartition(":")[2])
    raise ChatroomError("the server did not start")


def _swarm(port: int, core: int | None, *options: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "chatroom", "swarm", "--port", str(port), "--json", *options]
    result = subprocess.run(
        _pinned(command, core), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    loaded: dict[str, Any] = json.loads(result.stdout)
    return loaded


def _in_turn(
    measure: Callable[[int], dict[str, Any]], directory: Path, repeat: int, core: int | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Results with the journal in memory and on disk, interleaved."""
    results: dict[str, list[dict[str, Any]]] = {IN_MEMORY: [], "on disk.db": []}
    for _ in range(repeat):
        for journal, found in results.items():
            with server(journal, directory, core) as port:
                found.append(measure(port))
    return results[IN_MEMORY], results["on disk.db"]


#: A p99 needs ten samples beyond it: at 200 messages a second, 1,000 of them in a little over 5 s.
P99_SECONDS = 5.5


def latency(directory: Path, where: Cores, repeat: int, seconds: float) -> list[Figure]:
    """One talker and one reader at 200 messages a second, for `P99_SECONDS` at the least."""
    seconds = max(seconds, P99_SECONDS)

    def measure(port: int) -> dict[str, Any]:
        load = ("--bots", "2", "--talkers", "1", "--rate", "200", "--duration", str(seconds))
        return _swarm(port, where.load, *load)

    memory, disk = _in_turn(measure, directory, repeat, where.server)
    figures = []
    for percentile, wanted in (("50", 1.1), ("99", 1.5)):
        was, is_ = (
            median(run["latency"]["percentiles_us"][percentile] for run in runs)
            for runs in (memory, disk)
        )
        figures.append(
            Figure(
                f"latency at 200 messages a second, p{percentile}, on disk / in memory",
                f"{is_ / was:.2f} ({is_:.0f} µs / {was:.0f} µs)",
                f"at most {wanted}",
                is_ / was <= wanted,
            )
        )
    return figures


def fanout(directory: Path, where: Cores, repeat: int, seconds: float) -> list[Figure]:
    """One talker, 100 readers, 64 messages in flight, plain."""

    def measure(port: int) -> dict[str, Any]:
        return {"delivered_per_second": _deliveries_per_second(port, seconds)}

    if where.load is not None:
        os.sched_setaffinity(0, {where.load})
    memory, disk = _in_turn(measure, directory, repeat, where.server)
    was, is_ = (median(run["delivered_per_second"] for run in runs) for runs in (memory, disk))
    return [
        Figure(
            "fan-out, deliveries a second, on disk / in memory",
            f"{is_ / was:.2f} ({is_:,.0f} / {was:,.0f})",
            "at least 0.7",
            is_ / was >= 0.7,
        )
    ]


def _deliveries_per_second(port: int, seconds: float) -> float:
    talker = _plain(port, "talker")
    readers = [_plain(port, f"reader{n}") for n in range(READERS)]
    selector = selectors.DefaultSelector()
    for reader in readers:
        selector.register(reader, selectors.EVENT_READ)
    line = b"x" * 100 + b"\n"
    talker.sendall(line * FANOUT_IN_FLIGHT)
    begin = time.perf_counter() + 1  # a second to warm up
    delivered = 0
    while (now := time.perf_counter()) < begin + seconds:
        for key, _ in selector.select(1):
            lines = key.fileobj.recv(1 << 20).count(b"\n")  # type: ignore[union-attr]
            if key.fileobj is readers[-1]:  # the last to be sent to: the others have it
                talker.sendall(line * lines)
            if now >= begin:
                delivered += lines
    for sock in (talker, *readers):
        sock.close()
    return delivered / seconds


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


def acks(directory: Path, where: Cores, seconds: float) -> list[Figure]:
    """100 clients that keep 10 messages each unacked."""
    if where.load is not None:
        os.sched_setaffinity(0, {where.load})
    with server("acks.db", directory, where.server) as port:
        selector = selectors.DefaultSelector()
        talkers = [_Talker(port, n) for n in range(TALKERS)]
        for talker in talkers:
            selector.register(talker.sock, selectors.EVENT_READ, talker)
            talker.say(IN_FLIGHT)
        begin = time.perf_counter() + 1  # a second to warm up
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
    taken.sort()
    rate, p99_ms = len(taken) / seconds, taken[len(taken) * 99 // 100] * 1000
    return [
        Figure(
            f"acks a second, {TALKERS} clients, {IN_FLIGHT} in flight each",
            f"{rate:,.0f}",
            "at least 10,000",
            rate >= 10_000,
        ),
        Figure("time to an ack, p99", f"{p99_ms:.1f} ms", "under 50 ms", p99_ms < 50),
    ]


def fill(path: Path, events: int) -> None:
    """A journal of that many messages, closed in good order."""
    store = Store(path, Durability.PROCESS)
    store.begin(0)
    for first in range(1, events + 1, 8192):
        numbers = range(first, min(first + 8192, events + 1))
        store.write(
            [
                Event(n, "2026-11-22T13:17:42.123456Z", "message", f"talker{n % 50}", f"{n:0100}")
                for n in numbers
            ]
        )
        store.reserve_ahead()
    store.end(events)
    store.close()


def restart(directory: Path, where: Cores, repeat: int) -> list[Figure]:
    """A server on a large journal: until it is ready, and a page of its history."""
    fill(directory / "large.db", KEPT_EVENTS)
    ready: list[float] = []
    pages: list[float] = []
    for _ in range(repeat):
        begin = time.perf_counter()
        with server("large.db", directory, where.server) as port:
            ready.append(time.perf_counter() - begin)
            pages += [_page_seconds(port, {"before": 900_000}) for _ in range(20)]
            pages += [_page_seconds(port, {}) for _ in range(20)]
    bare: list[float] = []
    for _ in range(repeat):
        begin = time.perf_counter()
        with server(IN_MEMORY, directory, where.server):
            bare.append(time.perf_counter() - begin)
    pages.sort()
    page_ms = pages[len(pages) * 95 // 100] * 1000
    return [
        Figure(
            f"start to ready with {KEPT_EVENTS:,} events kept",
            f"{median(ready):.2f} s (with :memory: {median(bare):.2f} s)",
            "under 1 s",
            median(ready) < 1,
        ),
        Figure(
            "history of 1,000 events, p95, newest and old ones",
            f"{page_ms:.1f} ms (median {median(pages) * 1000:.1f} ms)",
            "under 20 ms",
            page_ms < 20,
        ),
    ]


def _page_seconds(port: int, which: dict[str, int]) -> float:
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


def measure(repeat: int, seconds: float) -> None:
    """Measure everything, and print a Markdown table line by line. Takes some minutes."""
    where = cores()
    print("| what | measured | wanted | |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(dir=".") as name:
        directory = Path(name)
        measurements: Sequence[Callable[[], list[Figure]]] = (
            lambda: restart(directory, where, repeat),
            lambda: fanout(directory, where, repeat, seconds),
            lambda: latency(directory, where, repeat, seconds),
            lambda: acks(directory, where, seconds),
        )
        for measurement in measurements:
            for figure in measurement():
                mark = "reached" if figure.reached else "not reached"
                print(
                    f"| {figure.what} | {figure.measured} | {figure.wanted} | {mark} |", flush=True
                )
