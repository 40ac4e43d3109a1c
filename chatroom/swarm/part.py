"""One process's figures, and how those of several become one result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from chatroom.swarm.conductor import Conductor
from chatroom.swarm.environment import environment
from chatroom.swarm.histogram import Histogram
from chatroom.swarm.ledger import INTERVAL_US
from chatroom.swarm.multicast import FeedFigures
from chatroom.swarm.result import (
    Outcome,
    RunResult,
    Second,
    ThresholdResult,
    conclude,
    figures_of,
    latency_of,
)
from chatroom.swarm.settings import SwarmSettings
from chatroom.swarm.storm import StormFigures
from chatroom.swarm.threshold import Threshold
from chatroom.swarm.verdict import NAMED, Faults, Verdict, judge

Pairs = list[tuple[int, int]]


class SecondPart(msgspec.Struct):
    """One second of one process."""

    sent: int
    received: int
    latency: Pairs
    lag: Pairs


class Part(msgspec.Struct):
    """What one process of a swarm has measured; goes from process to process as JSON."""

    seconds: float
    connect_seconds: float
    cpu_seconds: float
    delivered_within: int
    readers: int
    hearing_talkers: bool  #: do talkers get each other's messages, but not their own?
    sent_by_local: int  #: in the measured time
    intervals: list[SecondPart]
    latency_max_us: int
    latency_sum_us: int
    lag_max_us: int
    lag_sum_us: int
    verdict: Verdict
    errors: dict[str, int]
    interrupted: bool
    given_up: int
    storm: StormFigures | None
    feed: FeedFigures | None


def part_of(conductor: Conductor) -> Part:
    """What a conductor whose run is over has measured."""
    verdict = judge(conductor.audit, conductor.talk.sent)
    ledger, measured = conductor.ledger, conductor.measured
    latency, lag = ledger.latency(), ledger.lag()
    return Part(
        seconds=measured.seconds,
        connect_seconds=conductor.connect_seconds,
        cpu_seconds=measured.cpu_seconds,
        delivered_within=measured.delivered_within,
        readers=verdict.readers,
        hearing_talkers=any(reader.talker is not None for reader in conductor.audit.readers),
        sent_by_local=sum(interval.sent for interval in ledger.intervals),
        intervals=[
            SecondPart(
                interval.sent,
                interval.received,
                interval.latency.to_pairs(),
                interval.lag.to_pairs(),
            )
            for interval in ledger.intervals
        ],
        latency_max_us=latency.max_us,
        latency_sum_us=latency.sum_us,
        lag_max_us=lag.max_us,
        lag_sum_us=lag.sum_us,
        verdict=verdict,
        errors=dict(conductor.cast.errors),
        interrupted=conductor.interrupted,
        given_up=conductor.load.given_up if conductor.load else 0,
        storm=conductor.storm.figures() if conductor.storm else None,
        feed=conductor.cast.feed(),
    )


def combine(
    parts: Sequence[Part], settings: SwarmSettings, thresholds: Sequence[Threshold]
) -> RunResult:
    """The result of the whole run."""
    seconds = max(part.seconds for part in parts)
    sent = sum(part.sent_by_local for part in parts)
    # Every message goes to every reader, but not to its own talker.
    own = sum(part.sent_by_local for part in parts if part.hearing_talkers)
    latency, lag, series = _series(parts)
    within = sum(part.delivered_within for part in parts)
    result = RunResult(
        outcome=Outcome.PASS,
        reasons=[],
        settings=settings,
        environment=environment(),
        seconds=seconds,
        connect_seconds=max(part.connect_seconds for part in parts),
        sent=sent,
        expected=sent * sum(part.readers for part in parts) - own,
        delivered=latency.count,
        sent_per_second=round(sent / seconds, 2) if seconds else 0.0,
        delivered_per_second=round(within / seconds, 2) if seconds else 0.0,
        cpu_share=max(part.cpu_seconds / part.seconds if part.seconds else 0.0 for part in parts),
        latency=latency_of(latency),
        send_lag=latency_of(lag),
        audit=_verdict(parts),
        errors=dict(sum((Counter(part.errors) for part in parts), Counter())),
        series=series,
        given_up=sum(part.given_up for part in parts),
        storm=_storm(parts),
        feed=_feed(parts),
        same_order=len({part.verdict.order_digest for part in parts}) == 1,
    )
    figures = figures_of(result)
    result.thresholds = [
        ThresholdResult(limit.text, figures[limit.figure], limit.kept(figures))
        for limit in thresholds
    ]
    conclude(result, interrupted=any(part.interrupted for part in parts))
    return result


def _histogram(pairs: Sequence[Pairs]) -> Histogram:
    histogram = Histogram()
    for some in pairs:
        histogram.add_counts(dict(some))
    return histogram


def _series(parts: Sequence[Part]) -> tuple[Histogram, Histogram, list[Second]]:
    """All latencies, all lags, and both by the second."""
    latency, lag, series = Histogram(), Histogram(), []
    measured = min(int(part.seconds * 1e6) // INTERVAL_US for part in parts)
    for number in range(max(len(part.intervals) for part in parts)):
        there = [part.intervals[number] for part in parts if number < len(part.intervals)]
        of_second = _histogram([interval.latency for interval in there])
        lag_of_second = _histogram([interval.lag for interval in there])
        latency.add(of_second)
        lag.add(lag_of_second)
        if number < max(measured, 1):  # a second cut short would look like a slow one
            series.append(
                Second(
                    second=number,
                    sent=sum(interval.sent for interval in there),
                    received=sum(interval.received for interval in there),
                    p50_us=of_second.percentile(50),
                    p99_us=of_second.percentile(99),
                    max_us=of_second.max_us,
                    lag_p99_us=lag_of_second.percentile(99),
                )
            )
    # The buckets round up; the largest and the sum are known exactly.
    latency.max_us = max(part.latency_max_us for part in parts)
    latency.sum_us = sum(part.latency_sum_us for part in parts)
    lag.max_us = max(part.lag_max_us for part in parts)
    lag.sum_us = sum(part.lag_sum_us for part in parts)
    return latency, lag, series


def _verdict(parts: Sequence[Part]) -> Verdict:
    faults, worst = Faults(), []
    for rank, part in enumerate(parts):
        faults.add(part.verdict.faults)
        for reader in part.verdict.worst:
            name = reader.name if len(parts) == 1 else f"process {rank}, {reader.name}"
            worst.append(msgspec.structs.replace(reader, name=name))
    worst.sort(key=lambda reader: -reader.faults.total())
    return Verdict(
        readers=sum(part.verdict.readers for part in parts),
        messages=max(part.verdict.messages for part in parts),
        faults=faults,
        disconnected=sum(part.verdict.disconnected for part in parts),
        worst=worst[:NAMED],
        order_digest=parts[0].verdict.order_digest,
    )


def _storm(parts: Sequence[Part]) -> StormFigures | None:
    storms = [part.storm for part in parts if part.storm is not None]
    if not storms:
        return None
    return StormFigures(
        newcomers=sum(storm.newcomers for storm in storms),
        entered=sum(storm.entered for storm in storms),
        seconds=max(storm.seconds for storm in storms),
        errors=sorted({error for storm in storms for error in storm.errors}),
    )


def _feed(parts: Sequence[Part]) -> FeedFigures | None:
    listeners = [one for part in parts if part.feed for one in part.feed.listeners]
    return FeedFigures(listeners) if listeners else None
