"""How long to wait before the next try."""

from __future__ import annotations

import random
from collections.abc import Iterator

#: The first try comes at most this long after a connection broke.
FIRST_SECONDS = 0.5

#: No two tries are further apart: a person waits for a server that is back no longer than this.
LONGEST_SECONDS = 15.0


def delays(
    first_seconds: float = FIRST_SECONDS,
    longest_seconds: float = LONGEST_SECONDS,
    uniform: random.Random | None = None,
) -> Iterator[float]:
    """Delays in seconds, without end: each random, up to a bound that doubles.

    "Full jitter" (Brooker, "Exponential Backoff and Jitter", 2015): a hundred clients that lost
    the same server come back spread over the whole interval, not all at once at its end.
    """
    source = uniform or random
    bound = first_seconds
    while True:
        yield source.uniform(0, bound)
        bound = min(longest_seconds, bound * 2)
