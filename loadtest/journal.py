"""What the journal costs the talk, and what it gives: acks, a restart, a page of history.

`python -m loadtest journal` prints a Markdown table. What concerns speed is measured with the
journal on disk and with `:memory:`, in turn, in the same run, and compared.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from chatroom.event import Event, encode_event
from chatroom.journal.store import Store
from chatroom.settings import IN_MEMORY, Durability
from loadtest.members import (
    IN_FLIGHT,
    TALKERS,
    ack_seconds,
    deliveries_per_second,
    page_seconds,
)
from loadtest.rows import Row
from loadtest.serving import Server, core, pinned, serving, swarm

KEPT_EVENTS = 1_000_000

#: A p99 needs ten samples beyond it: at 200 messages a second, 1,000 of them in a little over 5 s.
P99_SECONDS = 5.5


class Place(NamedTuple):
    """Where a server runs."""

    directory: Path  #: for its files
    prefix: Sequence[str] = ()  #: what comes before its command: a core to run on


def _in_turn(
    measure: Callable[[int], dict[str, Any]], place: Place, repeat: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Results with the journal in memory and on disk, interleaved."""
    results: dict[str, list[dict[str, Any]]] = {IN_MEMORY: [], "on disk.db": []}
    for _ in range(repeat):
        for journal, found in results.items():
            with _serving(place, journal) as server:
                found.append(measure(server.port))
    return results[IN_MEMORY], results["on disk.db"]


def _serving(place: Place, journal: str) -> AbstractContextManager[Server]:
    return serving(place.prefix, "--no-multicast", journal=journal, directory=place.directory)


def latency(place: Place, repeat: int, seconds: float) -> list[Row]:
    """One talker and one reader at 200 messages a second, for `P99_SECONDS` at the least."""
    seconds = max(seconds, P99_SECONDS)

    def measure(port: int) -> dict[str, Any]:
        load = ("--bots", "2", "--talkers", "1", "--rate", "200", "--duration", str(seconds))
        return swarm([], "--port", str(port), *load)

    memory, disk = _in_turn(measure, place, repeat)
    figures = []
    for percentile, wanted in (("50", 1.1), ("99", 1.5)):
        was, is_ = (
            median(run["latency"]["percentiles_us"][percentile] for run in runs)
            for runs in (memory, disk)
        )
        figures.append(
            Row(
                f"latency at 200 messages a second, p{percentile}, on disk / in memory",
                f"{is_ / was:.2f} ({is_:.0f} µs / {was:.0f} µs)",
                f"at most {wanted}",
                is_ / was <= wanted,
            )
        )
    return figures


def fanout(place: Place, repeat: int, seconds: float) -> list[Row]:
    """One talker, 100 readers, 64 messages in flight, plain."""

    def measure(port: int) -> dict[str, Any]:
        return {"delivered_per_second": deliveries_per_second(port, seconds)}

    memory, disk = _in_turn(measure, place, repeat)
    was, is_ = (median(run["delivered_per_second"] for run in runs) for runs in (memory, disk))
    return [
        Row(
            "fan-out, deliveries a second, on disk / in memory",
            f"{is_ / was:.2f} ({is_:,.0f} / {was:,.0f})",
            "at least 0.7",
            is_ / was >= 0.7,
        )
    ]


def acks(place: Place, seconds: float) -> list[Row]:
    """100 clients that keep 10 messages each unacked."""
    with _serving(place, "acks.db") as server:
        taken = ack_seconds([server.port], seconds)
    rate, p99_ms = len(taken) / seconds, taken[len(taken) * 99 // 100] * 1000
    return [
        Row(
            f"acks a second, {TALKERS} clients, {IN_FLIGHT} in flight each",
            f"{rate:,.0f}",
            "at least 10,000",
            rate >= 10_000,
        ),
        Row("time to an ack, p99", f"{p99_ms:.1f} ms", "under 50 ms", p99_ms < 50),
    ]


def fill(path: Path, events: int) -> None:
    """A journal of that many messages, closed in good order."""
    store = Store(path, Durability.PROCESS)
    store.begin(0)
    for first in range(1, events + 1, 8192):
        numbers = range(first, min(first + 8192, events + 1))
        events_now = [
            Event(n, "2026-11-22T13:17:42.123456Z", "message", f"talker{n % 50}", f"{n:0100}")
            for n in numbers
        ]
        store.write(events_now, [encode_event(event) for event in events_now])
        store.reserve_ahead()
        store.checkpoint()
    store.end(events)
    store.close()


def restart(place: Place, repeat: int) -> list[Row]:
    """A server on a large journal: until it is ready, and a page of its history."""
    fill(place.directory / "large.db", KEPT_EVENTS)
    ready: list[float] = []
    pages: list[float] = []
    for _ in range(repeat):
        begin = time.perf_counter()
        with _serving(place, "large.db") as server:
            ready.append(time.perf_counter() - begin)
            pages += [page_seconds(server.port, {"before": 900_000}) for _ in range(20)]
            pages += [page_seconds(server.port, {}) for _ in range(20)]
    bare: list[float] = []
    for _ in range(repeat):
        begin = time.perf_counter()
        with _serving(place, IN_MEMORY):
            bare.append(time.perf_counter() - begin)
    pages.sort()
    page_ms = pages[len(pages) * 95 // 100] * 1000
    return [
        Row(
            f"start to ready with {KEPT_EVENTS:,} events kept",
            f"{median(ready):.2f} s (with :memory: {median(bare):.2f} s)",
            "under 1 s",
            median(ready) < 1,
        ),
        Row(
            "history of 1,000 events, p95, newest and old ones",
            f"{page_ms:.1f} ms (median {median(pages) * 1000:.1f} ms)",
            "under 20 ms",
            page_ms < 20,
        ),
    ]


def measure(repeat: int, seconds: float) -> Iterator[Row]:
    """Everything, row by row; takes some minutes. The load is this process, on a core of its own
    from now on.
    """
    prefix = pinned(0)
    os.sched_setaffinity(0, {core(1)})
    with tempfile.TemporaryDirectory(dir=".") as name:
        place = Place(Path(name), prefix)
        yield from restart(place, repeat)
        yield from fanout(place, repeat, seconds)
        yield from latency(place, repeat, seconds)
        yield from acks(place, seconds)
