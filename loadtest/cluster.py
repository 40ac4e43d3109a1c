"""`python -m loadtest cluster`: a room on two servers, beside the same room on one.

Everything runs on this machine: a Redis of its own, one or two servers, and the load. On two cores
these get in each other's way, so what two servers deliver on cores of their own is reckoned from
what a delivery costs each: deliveries for each second of a server's processor time.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from statistics import median
from typing import NamedTuple

import trio

from loadtest.killing import EACH, WATCH_SECONDS, Killed, kill
from loadtest.members import IN_FLIGHT, TALKERS, Fanout, ack_seconds, warm_up_seconds
from loadtest.namespaces import missing
from loadtest.one_way import one_way_us
from loadtest.redis import redis_server
from loadtest.rows import Row
from loadtest.serving import Server, serving, swarm
from loadtest.shared_log import measure as measure_log
from loadtest.shared_log import raw_seconds
from loadtest.two_feeds import LOSS_PERCENT, listen

RATE = 200
READERS = 200


class Pair(NamedTuple):
    """Two servers of one room, and the Redis between them."""

    a: Server
    b: Server
    redis: str

    @property
    def ports(self) -> list[int]:
        """Where they are."""
        return [self.a.port, self.b.port]


@contextmanager
def pair(appendfsync: str = "everysec") -> Iterator[Pair]:
    """Start them."""
    with redis_server(appendfsync) as url:
        cluster = ("--no-multicast", "--cluster", url, "--name")
        with serving([], *cluster, "a") as a, serving([], *cluster, "b") as b:
            yield Pair(a, b, url)


def latency(repeat: int, seconds: float) -> Iterator[Row]:
    """One talker, one reader, 200 messages a second: on one server without a cluster, on two, on
    one of the two; and the way through Redis alone. In turn.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(repeat):
        with serving([], "--no-multicast") as alone:
            found["alone"] += [median(one_way_us(alone.port, alone.port, RATE, seconds))]
        with pair() as two:
            raw = trio.run(raw_seconds, two.redis, int(RATE * seconds))
            found["raw"].append(median(raw) * 1e6)
            found["across"].append(median(one_way_us(two.a.port, two.b.port, RATE, seconds)))
            found["both"].append(median(one_way_us(two.a.port, two.a.port, RATE, seconds)))
    alone_us, raw_us, across, both = (median(found[k]) for k in ("alone", "raw", "across", "both"))
    talk = f"{RATE} messages/s, median"
    yield _at_most(f"{talk}, on A to B, beside one server", across, alone_us, 4, "µs")
    yield _at_most(f"{talk}, on A to B, beside XADD to XREAD", across, raw_us, 2, "µs")
    yield _at_most(f"{talk}, both on A, beside across", both, across, 1, "µs")


def throughput(seconds: float) -> Iterator[Row]:
    """A hundred talkers on each server: what the log takes, and what is left of it where each
    message is delivered to all of them.
    """
    with redis_server("everysec") as url:
        figures = trio.run(_throughput_of_the_log, url, seconds)
    bar = 50_000
    name = "events a second through the log, applied by both, 100 talkers on each"
    yield Row(name, f"{figures:,.0f}", f"at least {bar:,}", figures >= bar)
    with pair() as two:
        places = [part for port in two.ports for part in ("--server", f"127.0.0.1:{port}")]
        load = ("--bots", "200", "--talkers", "200", "--in-flight", "4000", "--processes", "2")
        result = swarm([], *places, *load, "--duration", str(seconds))
    yield Row(
        "the same by clients who hear each other, load on the same cores",
        f"{result['sent_per_second']:,.0f} said, {result['delivered_per_second']:,.0f} delivered,"
        f" {result['audit']['faults']}",
        "one order for all",
        result["outcome"] == "pass",
    )


async def _throughput_of_the_log(url: str, seconds: float) -> float:
    return (await measure_log(url, messages=10, seconds=seconds)).events_per_second


def deliveries(repeat: int, seconds: float) -> Iterator[Row]:
    """One talker, 64 messages in flight, 200 readers on one server or half of them on each of two:
    deliveries for each second of processor time that a server has.
    """
    one: list[float] = []
    two: list[float] = []
    for _ in range(repeat):
        with serving([], "--no-multicast") as alone:
            one.append(_deliveries_by_cpu([alone], seconds))
        with pair() as both:
            two.append(2 * _deliveries_by_cpu([both.a, both.b], seconds))
    was, is_ = median(one), median(two)
    yield Row(
        f"deliveries a second, a core for each, two servers with {READERS // 2} readers each"
        f" beside one with {READERS}",
        f"{is_:,.0f} / {was:,.0f} = {is_ / was:.2f} x",
        "at least 1.6 x",
        is_ >= 1.6 * was,
    )


def _deliveries_by_cpu(servers: list[Server], seconds: float) -> float:
    with closing(Fanout([server.port for server in servers], READERS)) as fanout:
        fanout.run(warm_up_seconds(seconds))
        before = sum(server.cpu_seconds() for server in servers)
        delivered = fanout.run(seconds)
        return delivered / (sum(server.cpu_seconds() for server in servers) - before)


def acks(repeat: int, seconds: float) -> Iterator[Row]:
    """100 clients on two servers that keep 10 messages each unacked; each is on Redis' disk."""
    rates, p99s_ms = [], []
    for _ in range(repeat):
        with pair("always") as two:
            taken = ack_seconds(two.ports, seconds)
        rates.append(len(taken) / seconds)
        p99s_ms.append(taken[len(taken) * 99 // 100] * 1000)
    rate, p99_ms = median(rates), median(p99s_ms)
    name = f"acks a second, {TALKERS} clients, {IN_FLIGHT} in flight each, appendfsync always"
    yield Row(name, f"{rate:,.0f}", "at least 5,000", rate >= 5000)
    yield Row("time to such an ack, p99", f"{p99_ms:.1f} ms", "under 100 ms", p99_ms < 100)


def death(watch_seconds: float = WATCH_SECONDS) -> Iterator[Row]:
    """A server is killed under 20 who follow to the other and 20 who don't."""
    with pair() as two:
        seen = trio.run(kill, two.a, two.b, watch_seconds)
    yield from _of_death(seen)


def _of_death(seen: Killed) -> Iterator[Row]:
    leaves = [one for times in seen.left.values() for one in times]
    last = max(leaves, default=0.0)
    once = len(leaves) == len(seen.left) == EACH
    yield Row(
        f"a server is killed: the {EACH} who stay away leave",
        f"{len(leaves)} leaves, the last after {last:.1f} s",
        "each once, within 7 s",
        once and last <= 7,
    )
    again = sorted(seen.talked_again.values())
    middle, worst = (median(again), again[-1]) if again else (0.0, 0.0)
    yield Row(
        f"the {EACH} who follow talk again",
        f"{len(again)}; median {middle:.2f} s, last {worst:.2f} s",
        "all, median under 1 s",
        len(again) == EACH and middle < 1,
    )
    yield Row(
        f"of {len(seen.acked):,} messages that were acked",
        f"{seen.lost} lost, {seen.doubled} doubled; {seen.unconfirmed} more unconfirmed",
        "0 lost, 0 doubled",
        seen.lost + seen.doubled == 0,
    )


def feeds(seconds: float) -> Iterator[Row]:
    """Each server feeds a group of its own, and a tenth is lost on the way to the listeners."""
    one, both = listen(seconds)
    yield Row(
        f"{LOSS_PERCENT} % lost on each of two groups: to ask for, with one, with both",
        f"{one.repaired_percent:.1f} %, {both.repaired_percent:.1f} % of {both.received:,},"
        f" {both.lost} lost",
        "some 1 % with both, 0 lost",
        both.repaired_percent < 2 and both.received > 0 and both.lost == 0,
    )


def measure(repeat: int, seconds: float) -> Iterator[Row]:
    """All measurements."""
    yield from latency(repeat, seconds)
    yield from throughput(seconds)
    yield from deliveries(repeat, seconds)
    yield from acks(repeat, seconds)
    yield from death()
    if why := missing():
        print(f"left out: the feed on two groups: {why}", file=sys.stderr)
    else:
        yield from feeds(seconds)


def _at_most(name: str, is_: float, beside: float, factor: float, unit: str) -> Row:
    figure = f"{is_:.0f} {unit} / {beside:.0f} {unit} = {is_ / beside:.2f} x"
    return Row(name, figure, f"at most {factor:g} x", is_ <= factor * beside)
