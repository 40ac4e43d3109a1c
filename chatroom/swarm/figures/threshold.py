"""Limits that a run must keep: `p99<5ms`, `lost<=0`, `delivered_per_second>=1000`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping

import msgspec

_UNITS_US = {"us": 1.0, "µs": 1.0, "ms": 1_000.0, "s": 1_000_000.0}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PATTERN = re.compile(r"\s*([a-z0-9_.]+)\s*(<=|>=|<|>)\s*([0-9.]+)\s*(us|µs|ms|s)?\s*")

#: Latencies in µs that a limit can name, and plain numbers.
LATENCIES = ("p50", "p90", "p99", "p99.9", "p99.99", "max", "mean", "lag_p50", "lag_p99", "lag_max")
NUMBERS = (
    "sent_per_second",
    "delivered_per_second",
    "lost",
    "doubled",
    "reordered",
    "altered",
    "disconnected",
)


class Threshold(msgspec.Struct, frozen=True):
    """A limit on one figure of a run."""

    text: str  #: as it was written
    figure: str
    comparison: str
    limit: float  #: µs for a latency

    def kept(self, figures: Mapping[str, float | None]) -> bool:
        """Is it kept? A figure that is n/a (too few samples) keeps no limit: it proves nothing."""
        value = figures.get(self.figure)
        return value is not None and _COMPARISONS[self.comparison](value, self.limit)


def parse_threshold(text: str) -> Threshold:
    """Read a limit such as `p99<5ms`.

    Raises:
        ValueError: with a line that says what was expected.
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no limit; write one like 'p99<5ms' or 'lost<=0'")
    figure, comparison, number, unit = match.groups()
    if figure in LATENCIES:
        if unit is None:
            raise ValueError(f"{text!r} needs a unit: us, ms or s")
        factor = _UNITS_US[unit]
    elif figure in NUMBERS and unit is None:
        factor = 1.0
    else:
        known = ", ".join(LATENCIES + NUMBERS)
        raise ValueError(f"{text!r}: a limit is on one of {known}; only the latencies have a unit")
    try:
        limit = float(number) * factor
    except ValueError:
        raise ValueError(f"{text!r}: {number} is no number") from None
    return Threshold(text.strip(), figure, comparison, limit)
