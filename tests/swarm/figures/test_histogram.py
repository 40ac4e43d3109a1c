"""Percentiles: within 0.1 % of the sorted list's, and n/a where too few samples lie beyond."""

from __future__ import annotations

from collections import Counter
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from chatroom.swarm.figures.histogram import SAMPLES_BEYOND, Histogram

latencies = st.lists(st.integers(0, 10**8), min_size=1, max_size=300)


def histogram_of(values: list[int]) -> Histogram:
    histogram = Histogram()
    histogram.add_counts(Counter(values))
    return histogram


@given(latencies, st.sampled_from([50.0, 90.0, 99.0, 99.9]))
def test_a_percentile_is_that_of_the_sorted_list(values: list[int], percentile: float) -> None:
    exact = sorted(values)[max(1, ceil(len(values) * percentile / 100 - 1e-9)) - 1]
    found = histogram_of(values).value_at(percentile)
    assert exact <= found <= exact * 1.001 + 1


@given(latencies, latencies)
def test_adding_histograms_is_counting_all(some: list[int], more: list[int]) -> None:
    together = histogram_of(some)
    together.add(histogram_of(more))
    all_of_them = histogram_of(some + more)
    assert together.to_pairs() == all_of_them.to_pairs()
    assert (together.count, together.max_us) == (all_of_them.count, all_of_them.max_us)
    assert together.mean_us() == all_of_them.mean_us()


@given(latencies)
def test_pairs_make_the_same_histogram_again(values: list[int]) -> None:
    histogram = histogram_of(values)
    again = Histogram()
    again.add_counts(dict(histogram.to_pairs()))
    assert again.to_pairs() == histogram.to_pairs()


def test_a_percentile_with_fewer_than_ten_samples_beyond_is_not_said() -> None:
    assert SAMPLES_BEYOND == 10
    assert histogram_of(list(range(1_000))).percentile(99) is not None
    assert histogram_of(list(range(999))).percentile(99) is None
    assert histogram_of([5] * 19).percentile(50) is None
    assert histogram_of([5] * 20).percentile(50) == 5
    assert Histogram().percentile(50) is None
