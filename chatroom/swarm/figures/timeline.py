"""Where latencies are written down: by the second in which the message was due."""

from __future__ import annotations

from collections import defaultdict

from chatroom.swarm.figures.histogram import Histogram

INTERVAL_US = 1_000_000

Counts = defaultdict[int, int]  # latency in µs: how often


class Interval:
    """The messages due in one second of the measured time, whenever they arrived."""

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0  #: deliveries that arrived in this second, whenever they were due
        self.counts: Counts = defaultdict(int)
        self.lag_counts: Counts = defaultdict(int)
        self._latency = Histogram()
        self._lag = Histogram()

    def fold(self) -> None:
        """Move the exact counts to the histograms, so that they take little memory."""
        for counts, histogram in ((self.counts, self._latency), (self.lag_counts, self._lag)):
            if counts:
                histogram.add_counts(counts)
                # Messages still under way hold this very dictionary.
                counts.clear()

    @property
    def latency(self) -> Histogram:
        """From when a message was due to its arrival, for each reader."""
        self.fold()
        return self._latency

    @property
    def lag(self) -> Histogram:
        """From when a message was due to the first attempt to send it."""
        self.fold()
        return self._lag


class Timeline:
    """The intervals of the measured time, and a place for what falls outside of it."""

    def __init__(self) -> None:
        self.intervals: list[Interval] = []
        self._start_us: int | None = None
        self._stop_us: int | None = None
        self._outside = Interval()

    def begin(self, start_us: int) -> None:
        """Messages due from `start_us` on are measured."""
        self._start_us = start_us

    def end(self, stop_us: int) -> None:
        """Messages due from `stop_us` on are not."""
        self._stop_us = stop_us

    @property
    def measured_us(self) -> int:
        """How long the measured time was; 0 while it has no end."""
        if self._start_us is None or self._stop_us is None:
            return 0
        return max(0, self._stop_us - self._start_us)

    def at(self, due_us: int) -> Interval:
        """The interval of a moment on the monotonic clock."""
        if (
            self._start_us is None
            or due_us < self._start_us
            or (self._stop_us is not None and due_us >= self._stop_us)
        ):
            return self._outside
        number = (due_us - self._start_us) // INTERVAL_US
        while len(self.intervals) <= number:
            self.intervals.append(Interval())
        return self.intervals[number]

    def fold(self) -> None:
        """Keep the memory small; called about once a second."""
        self._outside.counts.clear()
        self._outside.lag_counts.clear()
        # Late messages of older intervals may still have arrived: their counts are not empty.
        for interval in self.intervals[:-1]:
            interval.fold()

    def latency(self) -> Histogram:
        """All measured latencies."""
        total = Histogram()
        for interval in self.intervals:
            total.add(interval.latency)
        return total

    def lag(self) -> Histogram:
        """All measured send lags."""
        total = Histogram()
        for interval in self.intervals:
            total.add(interval.lag)
        return total
