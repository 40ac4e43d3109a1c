"""`python -m loadtest feed`: what the multicast feed costs, how fast it is, and how it repairs.

Three measurements, each printed with the bar that it has to reach:

1. one talker at 1,000 messages a second: latency to a listener of the feed and to a TCP reader, of
   the same messages;
2. the server's CPU time for each message with 100 listeners of the feed and with 100 TCP readers,
   in turn;
3. twenty listeners behind a link that drops a tenth of everything (two network namespaces; needs
   root): all repaired, how fast, with how many requests.
"""

from __future__ import annotations

import socket
import statistics
import sys
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from chatroom.swarm.figures.feed import FeedFigures
from loadtest.namespaces import cable, missing
from loadtest.race import race
from loadtest.rows import Row
from loadtest.serving import Server, pinned, serving, swarm

#: Messages a second where the cost of one is measured: each is a batch of its own.
COST_RATE = 500


def _work(server: Server, mode: str, *, bots: int, rate: int, seconds: float) -> dict[str, Any]:
    """One talker and so many listeners, on TCP (as JSON, too) or on the feed."""
    bots += mode == "tcp"  # there the talker is one of the bots
    options = ["--port", str(server.port), "--mode", mode, "--format", "json"]
    options += ["--bots", str(bots), "--rate", str(rate), "--duration", str(seconds)]
    return swarm(pinned(1), *options, "--warmup", "0.5")


def latency(repeat: int, seconds: float) -> list[Row]:
    """Measurement 1."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeat):
        with serving(pinned(0)) as server:
            for latencies, measured in zip(found, race(server, 1000, seconds), strict=True):
                latencies.append(measured)
    feed, tcp = (statistics.median(medians) for medians in found)
    return [
        Row(
            "median latency, 1,000 messages/s, a listener and a TCP reader",
            f"feed {feed:.0f} µs, TCP {tcp:.0f} µs: {feed / tcp:.2f} x",
            "at most 1 x",
            feed <= tcp,
        )
    ]


def cost(repeat: int, seconds: float) -> list[Row]:
    """Measurement 2. What a message costs that nobody hears is taken off both."""
    found: dict[str, list[float]] = {"multicast": [], "tcp": [], "nobody": []}
    for _ in range(repeat):
        for mode, costs in found.items():
            options = [] if mode == "multicast" else ["--no-multicast"]
            with serving(pinned(0), *options) as server:
                before = server.cpu_seconds()
                if mode == "nobody":
                    messages = _talk(server, COST_RATE, seconds)
                else:
                    result = _work(server, mode, bots=100, rate=COST_RATE, seconds=seconds)
                    messages = result["audit"]["messages"]
                costs.append((server.cpu_seconds() - before) / messages * 1e6)
    # The least of the runs: what else the machine does only ever adds.
    feed, tcp, nobody = (min(costs) for costs in found.values())
    ratio = (feed - nobody) / (tcp - nobody)
    return [
        Row(
            f"server CPU for each message, {COST_RATE} messages/s, 100 readers",
            f"feed {feed:.0f} µs, TCP {tcp:.0f} µs, nobody {nobody:.0f} µs:"
            f" ({feed:.0f} - {nobody:.0f}) / ({tcp:.0f} - {nobody:.0f}) = {ratio:.2f}",
            "at most 0.2",
            ratio <= 0.2,
        )
    ]


def _talk(server: Server, rate: int, seconds: float) -> int:
    """Say something at a steady pace to nobody; how often."""
    count = int(rate * seconds)
    with socket.create_connection(("127.0.0.1", server.port)) as talker:
        talker.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begin = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, begin + number / rate - time.monotonic()))
            talker.sendall(b"x" * 100 + b"\n")
    return count


def repairs(listeners: int, seconds: float) -> list[Row]:
    """Measurement 3."""
    with cable(loss_percent=10) as link:
        near, far = link.near, link.far
        options = ["--host", near.address, "--multicast-interface", near.interface]
        with serving(near.command([]), *options) as server:
            options = ["--host", near.address, "--interface", far.interface]
            options += ["--port", str(server.port), "--mode", "multicast", "--rate", "300"]
            options += ["--bots", str(listeners), "--duration", str(seconds)]
            result = swarm(far.command([]), *options)
    figures = msgspec.convert(result["feed"], FeedFigures, strict=False)
    lost, repaired, requests, gaps = map(figures.total, ("lost", "repaired", "requests", "gaps"))
    p99_ms = (figures.repair_seconds(99) or 0.0) * 1000
    return [
        Row(
            f"10 % loss, {listeners} listeners: repaired",
            f"{repaired:,}, {lost} lost",
            "all",
            lost == 0 and repaired > 0,
        ),
        Row("p99 of the repair", f"{p99_ms:.1f} ms", "< 50 ms", p99_ms < 50),
        Row(
            "requests for each hole of one packet or more",
            f"{requests / max(1, gaps):.2f}",
            "at most 3",
            requests <= 3 * gaps,
        ),
    ]


def measure(repeat: int, seconds: float) -> Iterator[Row]:
    """All measurements that are possible here; stderr names what is not."""
    yield from latency(repeat, seconds)
    yield from cost(repeat, seconds)
    if why := missing():
        print(f"left out: the lossy link: {why}", file=sys.stderr)
    else:
        yield from repairs(20, seconds)
