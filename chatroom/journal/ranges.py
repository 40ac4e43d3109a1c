"""Ranges of numbers, both ends included, kept sorted and apart: where history has holes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator


class Ranges:
    """A set of numbers as few ranges. Everything takes time in the number of ranges."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._ranges)

    def add(self, first: int, last: int) -> None:
        """Add the numbers from `first` to `last`; ranges that touch become one."""
        if last < first:
            return
        start = bisect_left(self._ranges, first - 1, key=lambda known: known[1])
        stop = start
        while stop < len(self._ranges) and self._ranges[stop][0] <= last + 1:
            first = min(first, self._ranges[stop][0])
            last = max(last, self._ranges[stop][1])
            stop += 1
        self._ranges[start:stop] = [(first, last)]

    def drop_below(self, first_kept: int) -> None:
        """Forget the numbers below `first_kept`."""
        self._ranges = [
            (max(first, first_kept), last) for first, last in self._ranges if last >= first_kept
        ]

    def count(self, low: int, high: int) -> int:
        """How many of the numbers from `low` to `high` are in it."""
        return sum(max(0, min(last, high) - max(first, low) + 1) for first, last in self._ranges)
