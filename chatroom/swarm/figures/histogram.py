"""Latencies, counted: whole microseconds, exact below 2,048 µs, within 0.1 % above."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil

_EXACT_BITS = 11  # below 2**11 every microsecond has a bucket of its own
_EXACT = 1 << _EXACT_BITS

#: A percentile is only said when at least this many samples lie beyond it: one or two outliers
#: are an anecdote, and the number printed for them would differ from run to run.
SAMPLES_BEYOND = 10


def _bucket(value_us: int) -> int:
    """The largest value that shares a bucket with this one."""
    if value_us < _EXACT:
        return max(value_us, 0)
    shift = value_us.bit_length() - _EXACT_BITS
    return ((value_us >> shift) + 1 << shift) - 1


class Histogram:
    """Counts of latencies in log-linear buckets, as HdrHistogram keeps them with three digits."""

    def __init__(self) -> None:
        self.count = 0
        self.sum_us = 0
        self.max_us = 0
        self._buckets: dict[int, int] = {}

    def add_counts(self, counts: Mapping[int, int]) -> None:
        """Add for each latency in µs how often it was seen."""
        buckets = self._buckets
        for value_us, count in counts.items():
            bucket = _bucket(value_us)
            buckets[bucket] = buckets.get(bucket, 0) + count
            self.count += count
            self.sum_us += value_us * count
            self.max_us = max(self.max_us, value_us)

    def add(self, other: Histogram) -> None:
        """Add all that another histogram counted."""
        for bucket, count in other._buckets.items():
            self._buckets[bucket] = self._buckets.get(bucket, 0) + count
        self.count += other.count
        self.sum_us += other.sum_us
        self.max_us = max(self.max_us, other.max_us)

    def value_at(self, percentile: float) -> int:
        """The latency in µs that `percentile` (0-100) percent do not exceed; 0 when empty."""
        wanted = max(1, ceil(self.count * percentile / 100 - 1e-9))
        for value_us, so_far in self.cumulative():
            if so_far >= wanted:
                return min(value_us, self.max_us)
        return 0

    def percentile(self, percentile: float) -> int | None:
        """Like `value_at`, but None where fewer than `SAMPLES_BEYOND` samples lie beyond it."""
        beyond = self.count - ceil(self.count * percentile / 100 - 1e-9)
        return self.value_at(percentile) if beyond >= SAMPLES_BEYOND else None

    def mean_us(self) -> float:
        """The mean; 0 when empty."""
        return self.sum_us / self.count if self.count else 0.0

    def cumulative(self) -> Iterator[tuple[int, int]]:
        """For each bucket in use, ascending: its largest value in µs, the samples up to it."""
        so_far = 0
        for bucket in sorted(self._buckets):
            so_far += self._buckets[bucket]
            yield bucket, so_far

    def to_pairs(self) -> list[tuple[int, int]]:
        """Buckets and counts, to send to another process; `add_counts(dict(pairs))` undoes it."""
        return sorted(self._buckets.items())
