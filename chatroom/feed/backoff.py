"""How long a listener waits before it asks, so that a hundred who lost the same packet don't do it
at once."""

from __future__ import annotations

from math import exp, log
from random import Random

#: Packets that overtake one another set themselves right within this; nothing is asked before.
REORDER_GRACE_SECONDS = (0.001, 0.002)
#: The first question is spread over this long after the grace. Longer spreads the load of many
#: listeners further, and is added to every repair.
FIRST_SPREAD_SECONDS = 0.004
#: How long the first question may stay unanswered; each further one twice as long as the last.
FIRST_TIMEOUT_SECONDS = 0.004
LONGEST_TIMEOUT_SECONDS = 0.5
#: For how many listeners the spread is made. RFC 5401 is insensitive to it: an order of magnitude
#: either way costs little.
GROUP_SIZE = 100

_LAMBDA = log(GROUP_SIZE) + 1


def spread(longest_seconds: float, random: Random) -> float:
    """A random wait of 0 to `longest_seconds`, with the truncated exponential density of RFC 5401,
    section 3.2.2: few early, most late, so that in a large group the first few questions come
    before the many."""
    scale = longest_seconds / _LAMBDA
    low = _LAMBDA / (longest_seconds * (exp(_LAMBDA) - 1))
    x = random.uniform(0, _LAMBDA / longest_seconds) + low
    return min(longest_seconds, scale * log(x * (exp(_LAMBDA) - 1) * scale))


def before_first_question(random: Random) -> float:
    """Seconds from noticing that something is missing to asking for it."""
    return random.uniform(*REORDER_GRACE_SECONDS) + spread(FIRST_SPREAD_SECONDS, random)


def before_next_question(tries: int, round_trip_seconds: float, random: Random) -> float:
    """Seconds from question number `tries` (1, 2, …) to the next: doubling, and jittered.

    Where answers are known to take long (`round_trip_seconds`, smoothed), the first wait allows for
    a quarter more than that: asking twice for what is on its way helps nobody, and each doubling of
    a longer wait would be added to the slowest repairs.
    """
    first = max(FIRST_TIMEOUT_SECONDS, 1.25 * round_trip_seconds)
    timeout = min(LONGEST_TIMEOUT_SECONDS, first * 2.0 ** min(tries - 1, 16))
    return min(LONGEST_TIMEOUT_SECONDS, timeout + spread(timeout / 4, random))
