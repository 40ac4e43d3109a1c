"""The result of a run, and the schema of `run.json`.

`run.json` is `RunResult` as JSON. Its `schema` is raised when a key changes its meaning or goes;
new keys may come at any time. Times are in the unit that the key names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from chatroom.swarm.figures.environment import Environment
from chatroom.swarm.figures.feed import FeedFigures
from chatroom.swarm.figures.histogram import Histogram
from chatroom.swarm.figures.newcomers import NewcomerFigures
from chatroom.swarm.figures.verdict import Verdict
from chatroom.swarm.settings import SwarmSettings

SCHEMA = 1

#: Beyond this share of one core the swarm itself may be what is slow.
BUSY_CPU = 0.9
#: A send lag is the swarm's own doing; from here on, and as a part of the latency, it matters.
LAG_US = 1_000
LAG_PART = 0.25

PERCENTILES = (50.0, 90.0, 99.0, 99.9, 99.99)


class RunOutcome(StrEnum):
    """What a run says, in a word. The worst that applies."""

    PASS = "pass"
    FAULTS = "faults"  #: the audit found something
    SLOWED = "slowed"  #: the figures are a limit that the server keeps its talkers to
    GENERATOR_BOUND = "generator_bound"  #: the figures are the swarm's own limit
    THRESHOLD = "threshold"  #: a limit was crossed
    INTERRUPTED = "interrupted"


#: The exit code of `chatroom swarm` for each outcome. 1: could not run; 2: usage.
EXIT_CODES = {
    RunOutcome.PASS: 0,
    RunOutcome.FAULTS: 3,
    RunOutcome.SLOWED: 5,
    RunOutcome.GENERATOR_BOUND: 4,
    RunOutcome.THRESHOLD: 99,
    RunOutcome.INTERRUPTED: 130,
}


class Latency(msgspec.Struct):
    """A distribution in µs. A percentile with fewer than ten samples beyond it is null."""

    count: int
    mean_us: float
    max_us: int
    percentiles_us: dict[str, int | None]  #: "50", "90", "99", "99.9", "99.99"
    beyond: dict[str, int]  #: samples above each of them
    buckets: list[tuple[int, int]]  #: largest value in µs, samples


class Second(msgspec.Struct):
    """One second of the measured time."""

    second: int
    sent: int
    received: int  #: deliveries that arrived in this second
    p50_us: int | None  #: of the messages due in this second
    p99_us: int | None
    max_us: int
    lag_p99_us: int | None


class ServerFigures(msgspec.Struct):
    """What one of several servers has done."""

    server: str
    readers: int
    sent: int  #: messages due in the measured time, of its talkers
    delivered: int  #: to its readers, whoever talked
    delivered_per_second: float
    faults: int  #: that the audit found with its readers
    latency: Latency  #: of what its readers got


class ThresholdResult(msgspec.Struct):
    """A limit and whether it was kept."""

    text: str
    value: float | None
    kept: bool


class RunResult(msgspec.Struct, kw_only=True):
    """All that is known about a run."""

    schema: int = SCHEMA
    outcome: RunOutcome
    reasons: list[str]  #: why it is not a pass, a sentence each
    settings: SwarmSettings
    environment: Environment
    seconds: float  #: measured
    connect_seconds: float
    sent: int  #: messages due in the measured time
    expected: int  #: deliveries of them
    delivered: int
    sent_per_second: float
    delivered_per_second: float  #: arrived within the measured time
    cpu_share: float  #: of one core, the busiest process of the swarm
    latency: Latency  #: from when a message was due to its arrival at each reader
    send_lag: Latency  #: from when a message was due to the first attempt to send it
    audit: Verdict
    errors: dict[str, int]
    series: list[Second]
    #: Messages that a closed loop did not wait for any more after two seconds without one.
    given_up: int = 0
    thresholds: list[ThresholdResult] = []
    #: The schema calls it `storm`, and a schema does not change for a name.
    newcomers: NewcomerFigures | None = msgspec.field(default=None, name="storm")
    #: Bots that the server slowed down because of how much they said, by its limit in words.
    slowed: dict[str, int] = {}
    feed: FeedFigures | None = None  #: what the listeners counted, with mode multicast
    servers: list[ServerFigures] = []  #: of a room on several servers
    same_order: bool = True  #: did all processes of the swarm see the messages in one order?


def latency_of(histogram: Histogram) -> Latency:
    """A histogram as the result has it."""
    percentiles = {
        f"{percentile:g}": histogram.percentile(percentile) for percentile in PERCENTILES
    }
    beyond = {
        f"{percentile:g}": histogram.count - _up_to(histogram, percentile)
        for percentile in PERCENTILES
    }
    return Latency(
        count=histogram.count,
        mean_us=round(histogram.mean_us(), 1),
        max_us=histogram.max_us,
        percentiles_us=percentiles,
        beyond=beyond,
        buckets=histogram.to_pairs(),
    )


def _up_to(histogram: Histogram, percentile: float) -> int:
    value = histogram.value_at(percentile)
    return max((count for bucket, count in histogram.cumulative() if bucket <= value), default=0)


def figures_of(result: RunResult) -> dict[str, float | None]:
    """The figures that a threshold can name."""
    faults = result.audit.faults
    latency, lag = result.latency, result.send_lag
    figures: dict[str, float | None] = {
        f"p{name}": value for name, value in latency.percentiles_us.items()
    }
    figures |= {
        "max": latency.max_us,
        "mean": latency.mean_us,
        "lag_p50": lag.percentiles_us["50"],
        "lag_p99": lag.percentiles_us["99"],
        "lag_max": lag.max_us,
        "sent_per_second": result.sent_per_second,
        "delivered_per_second": result.delivered_per_second,
        "lost": faults.lost,
        "doubled": faults.doubled,
        "reordered": faults.reordered,
        "altered": faults.altered,
        "disconnected": result.audit.disconnected,
    }
    return figures


def bound_by(result: RunResult) -> list[str]:
    """Why the swarm itself, not the server, may be what was measured; empty if it was not."""
    reasons = []
    if result.cpu_share > BUSY_CPU:
        reasons.append(
            f"the swarm used {result.cpu_share:.0%} of a core: these figures are its own limit;"
            " take fewer bots, a lower rate or more --processes"
        )
    lag, latency = result.send_lag.percentiles_us["99"], result.latency.percentiles_us["99"]
    paced = result.settings.in_flight is None  # a closed loop has no pace to keep
    behind = lag is not None and lag > LAG_US and (latency is None or lag > latency * LAG_PART)
    if lag is not None and paced and behind:
        reasons.append(
            f"one message in a hundred was sent {lag / 1000:.1f} ms or more after it was due: the"
            " swarm cannot keep the pace; take a lower rate or more --processes"
        )
    return reasons


def conclude(result: RunResult, *, interrupted: bool) -> None:
    """Set the outcome and its reasons from everything else."""
    findings: list[tuple[RunOutcome, str]] = []
    if interrupted:
        findings.append((RunOutcome.INTERRUPTED, "it was stopped early"))
    findings += [
        (RunOutcome.THRESHOLD, f"the limit {threshold.text} was not kept")
        for threshold in result.thresholds
        if not threshold.kept
    ]
    findings += [(RunOutcome.GENERATOR_BOUND, reason) for reason in bound_by(result)]
    if result.slowed:
        findings.append((RunOutcome.SLOWED, _slowed_text(result.slowed)))
    findings += [(RunOutcome.FAULTS, fault) for fault in _audit_findings(result)]
    if not (interrupted or _measured(result)):
        findings.append((RunOutcome.FAULTS, "nothing was measured: no message came in that time"))
    rank: Sequence[RunOutcome] = list(EXIT_CODES)
    order = (
        RunOutcome.FAULTS,
        RunOutcome.SLOWED,
        RunOutcome.GENERATOR_BOUND,
        RunOutcome.THRESHOLD,
        RunOutcome.INTERRUPTED,
    )
    result.outcome = next(
        (outcome for outcome in order if any(found == outcome for found, _ in findings)),
        RunOutcome.PASS,
    )
    findings.sort(key=lambda finding: rank.index(finding[0]))
    result.reasons = [reason for _, reason in findings]


def _slowed_text(slowed: Mapping[str, int]) -> str:
    count = sum(slowed.values())
    bots = "bot" if count == 1 else "bots"
    return (
        f"the server slowed {count:,} {bots} down ({'; '.join(slowed)}): start it with"
        " --talk-rate 0 to load it"
    )


def _measured(result: RunResult) -> bool:
    """Was there anything to say something about? Without talkers of its own a swarm listens to
    whatever is on the feed, from its beginning on.
    """
    if result.feed is not None and not result.settings.talkers:
        return result.feed.total("received") > 0
    return result.sent > 0


def _audit_findings(result: RunResult) -> list[str]:
    faults = result.audit.faults
    found = [
        f"{count:,} deliveries {name}"
        for name in faults.__struct_fields__
        if (count := getattr(faults, name))
    ]
    # What is lost to all alike, or is not of this run's talkers, only the listeners know.
    if result.feed is not None and (lost := result.feed.total("lost")):
        found.append(f"the listeners report {lost:,} events lost")
    # Those who only talk are in no audit.
    if gone := max(result.audit.disconnected, sum(result.errors.values())):
        found.append(f"{gone:,} bots lost their connection")
    if not result.same_order:
        found.append("the processes of the swarm did not see the messages in one order")
    if result.delivered == 0 and result.expected > 0 and not found:
        found.append("nothing was delivered")
    return found
