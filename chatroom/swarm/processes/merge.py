"""One process's figures, and how those of several become one result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from chatroom.swarm.audit.judgement import judge
from chatroom.swarm.figures.environment import environment
from chatroom.swarm.figures.feed import FeedFigures
from chatroom.swarm.figures.histogram import Histogram
from chatroom.swarm.figures.newcomers import NewcomerFigures
from chatroom.swarm.figures.result import (
    RunOutcome,
    RunResult,
    Second,
    ServerFigures,
    ThresholdResult,
    conclude,
    figures_of,
    latency_of,
)
from chatroom.swarm.figures.threshold import Threshold
from chatroom.swarm.figures.timeline import INTERVAL_US
from chatroom.swarm.figures.verdict import NAMED, Faults, Verdict
from chatroom.swarm.load.runner import Runner
from chatroom.swarm.settings import SwarmSettings

Pairs = list[tuple[int, int]]


class ProcessSecond(msgspec.Struct):
    """One second of one process."""

    sent: int
    received: int
    latency: Pairs
    lag: Pairs


class ProcessResult(msgspec.Struct):
    """What one process of a swarm has measured; goes from process to process as JSON."""

    seconds: float
    connect_seconds: float
    cpu_seconds: float
    delivered_within: int
    readers: int
    hearing_talkers: bool  #: do talkers get each other's messages, but not their own?
    sent_by_local: int  #: in the measured time
    intervals: list[ProcessSecond]
    latency_max_us: int
    latency_sum_us: int
    lag_max_us: int
    lag_sum_us: int
    verdict: Verdict
    errors: dict[str, int]
    interrupted: bool
    given_up: int
    newcomers: NewcomerFigures | None
    feed: FeedFigures | None
    slowed: dict[str, int] = {}  #: talkers that the server has slowed down, by its limit


def result_of(runner: Runner) -> ProcessResult:
    """What a runner whose run is over has measured."""
    verdict = judge(runner.audit, runner.talk.sent)
    newcomers = runner.fleet.newcomers
    timeline, measured = runner.timeline, runner.measured
    latency, lag = timeline.latency(), timeline.lag()
    return ProcessResult(
        seconds=measured.seconds,
        connect_seconds=runner.connect_seconds,
        cpu_seconds=measured.cpu_seconds,
        delivered_within=measured.delivered_within,
        readers=verdict.readers,
        hearing_talkers=any(reader.talker is not None for reader in runner.audit.readers),
        sent_by_local=sum(interval.sent for interval in timeline.intervals),
        intervals=[
            ProcessSecond(
                interval.sent,
                interval.received,
                interval.latency.to_pairs(),
                interval.lag.to_pairs(),
            )
            for interval in timeline.intervals
        ],
        latency_max_us=latency.max_us,
        latency_sum_us=latency.sum_us,
        lag_max_us=lag.max_us,
        lag_sum_us=lag.sum_us,
        verdict=verdict,
        errors=dict(runner.fleet.errors),
        interrupted=runner.interrupted,
        given_up=runner.load.given_up if runner.load else 0,
        newcomers=newcomers.figures() if newcomers else None,
        feed=runner.fleet.feed(),
        slowed=dict(Counter(runner.audit.slowed.values())),
    )


def merge(
    shares: Sequence[ProcessResult], settings: SwarmSettings, thresholds: Sequence[Threshold]
) -> RunResult:
    """The result of the whole run."""
    seconds = max(share.seconds for share in shares)
    sent = sum(share.sent_by_local for share in shares)
    # Every message goes to every reader, but not to its own talker.
    own = sum(share.sent_by_local for share in shares if share.hearing_talkers)
    latency, lag, series = _series(shares)
    within = sum(share.delivered_within for share in shares)
    result = RunResult(
        outcome=RunOutcome.PASS,
        reasons=[],
        settings=settings,
        environment=environment(),
        seconds=seconds,
        connect_seconds=max(share.connect_seconds for share in shares),
        sent=sent,
        expected=sent * sum(share.readers for share in shares) - own,
        delivered=latency.count,
        sent_per_second=round(sent / seconds, 2) if seconds else 0.0,
        delivered_per_second=round(within / seconds, 2) if seconds else 0.0,
        cpu_share=max(_cpu_share(share) for share in shares),
        latency=latency_of(latency),
        send_lag=latency_of(lag),
        audit=_verdict(shares),
        errors=dict(sum((Counter(share.errors) for share in shares), Counter())),
        slowed=dict(sum((Counter(share.slowed) for share in shares), Counter())),
        series=series,
        given_up=sum(share.given_up for share in shares),
        newcomers=_newcomers(shares),
        feed=_feed(shares),
        servers=_servers(shares, settings),
        same_order=len({share.verdict.order_digest for share in shares}) == 1,
    )
    figures = figures_of(result)
    result.thresholds = [
        ThresholdResult(limit.text, figures[limit.figure], limit.kept(figures))
        for limit in thresholds
    ]
    conclude(result, interrupted=any(share.interrupted for share in shares))
    return result


def _cpu_share(share: ProcessResult) -> float:
    return share.cpu_seconds / share.seconds if share.seconds else 0.0


def _histogram(pairs: Sequence[Pairs]) -> Histogram:
    histogram = Histogram()
    for some in pairs:
        histogram.add_counts(dict(some))
    return histogram


def _series(shares: Sequence[ProcessResult]) -> tuple[Histogram, Histogram, list[Second]]:
    """All latencies, all lags, and both by the second."""
    latency, lag, series = Histogram(), Histogram(), []
    measured = min(int(share.seconds * 1e6) // INTERVAL_US for share in shares)
    for number in range(max(len(share.intervals) for share in shares)):
        there = [share.intervals[number] for share in shares if number < len(share.intervals)]
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
    latency.max_us = max(share.latency_max_us for share in shares)
    latency.sum_us = sum(share.latency_sum_us for share in shares)
    lag.max_us = max(share.lag_max_us for share in shares)
    lag.sum_us = sum(share.lag_sum_us for share in shares)
    return latency, lag, series


def _verdict(shares: Sequence[ProcessResult]) -> Verdict:
    faults, worst = Faults(), []
    for rank, share in enumerate(shares):
        faults.add(share.verdict.faults)
        for reader in share.verdict.worst:
            name = reader.name if len(shares) == 1 else f"process {rank}, {reader.name}"
            worst.append(msgspec.structs.replace(reader, name=name))
    worst.sort(key=lambda reader: -reader.faults.total())
    return Verdict(
        readers=sum(share.verdict.readers for share in shares),
        messages=max(share.verdict.messages for share in shares),
        faults=faults,
        disconnected=sum(share.verdict.disconnected for share in shares),
        worst=worst[:NAMED],
        order_digest=shares[0].verdict.order_digest,
    )


def _servers(shares: Sequence[ProcessResult], settings: SwarmSettings) -> list[ServerFigures]:
    """What the readers of each server got, where there are several."""
    if not settings.servers:
        return []
    by_place: dict[str, list[ProcessResult]] = {}
    for rank, share in enumerate(shares):
        by_place.setdefault(settings.at(rank).place, []).append(share)
    return [_server(place, its) for place, its in by_place.items()]


def _server(place: str, shares: Sequence[ProcessResult]) -> ServerFigures:
    latency, _, _ = _series(shares)
    seconds = max(share.seconds for share in shares)
    within = sum(share.delivered_within for share in shares)
    return ServerFigures(
        server=place,
        readers=sum(share.readers for share in shares),
        sent=sum(share.sent_by_local for share in shares),
        delivered=latency.count,
        delivered_per_second=round(within / seconds, 2) if seconds else 0.0,
        faults=sum(share.verdict.faults.total() for share in shares),
        latency=latency_of(latency),
    )


def _newcomers(shares: Sequence[ProcessResult]) -> NewcomerFigures | None:
    arrivals = [share.newcomers for share in shares if share.newcomers is not None]
    if not arrivals:
        return None
    return NewcomerFigures(
        newcomers=sum(some.newcomers for some in arrivals),
        entered=sum(some.entered for some in arrivals),
        seconds=max(some.seconds for some in arrivals),
        per_second=sum(some.per_second for some in arrivals),
        errors=sorted({error for some in arrivals for error in some.errors}),
    )


def _feed(shares: Sequence[ProcessResult]) -> FeedFigures | None:
    listeners = [one for share in shares if share.feed for one in share.feed.listeners]
    return FeedFigures(listeners) if listeners else None
