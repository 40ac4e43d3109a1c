"""How long to wait before the next try."""

from __future__ import annotations

import random
from collections.abc import Iterator
from math import inf

#: The first try comes at most this long after a connection broke.
FIRST_SECONDS = 0.5

#: No two tries are further apart: a person waits for a server that is back no longer than this.
LONGEST_SECONDS = 15.0


#: A connection that held this long was a good one: what breaks after it begins from the beginning.
STEADY_SECONDS = LONGEST_SECONDS

#: The last try before giving up has this long to succeed, or half of the time if that is less.
LAST_TRY_SECONDS = 1.0


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


class Outage:
    """From the first break to a connection that holds: how long to wait, and when to give up.

    A server that takes a client in and drops it at once is out too, so neither begins anew before
    a connection has held: `STEADY_SECONDS` for the delays, and for the giving up as long as that
    takes, if this is less. Times are in seconds, of any one clock.
    """

    def __init__(self, give_up_seconds: float | None) -> None:
        self._give_up_seconds = inf if give_up_seconds is None else give_up_seconds
        self._last_try_seconds = min(LAST_TRY_SECONDS, self._give_up_seconds / 2)
        self._had_last_try = False
        self._delays = delays()
        self.give_up_at = inf

    def broke(self, now: float, held_seconds: float) -> None:
        """A connection broke that had held for so long."""
        if held_seconds >= STEADY_SECONDS:
            self._delays = delays()
        if self.give_up_at == inf or held_seconds >= min(STEADY_SECONDS, self._give_up_seconds):
            self.give_up_at = now + self._give_up_seconds
            self._had_last_try = False

    def next_delay(self, now: float) -> float | None:
        """Seconds until the next try; None: there is none any more."""
        if self._had_last_try or now >= self.give_up_at:
            return None
        longest = max(0.0, self.give_up_at - self._last_try_seconds - now)
        delay = next(self._delays)
        self._had_last_try = delay >= longest
        return min(delay, longest)
